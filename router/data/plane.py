"""What do all connections of a worker share?

The snapshot pointer, a clock that is read without a call, the registries that the sweep goes through, and the
numbers that make decisions unique.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from itertools import count
from os import urandom
from time import monotonic, time

from router.data.answers import Refusal
from router.data.downstream import ClientConnection
from router.data.exchange import Exchange
from router.data.local import Application, answer
from router.data.pool import Pool
from router.data.recorder import LONGEST_WINDOW, Recorder
from router.data.shadow_ledger import Ledger, forget
from router.data.shadowing import Shadows
from router.data.snapshot import Snapshot, build
from router.errors import TokenError
from router.events import say
from router.state import State
from router.token import read_token

SWEEP = 0.05

log = logging.getLogger("turnout.data")


class Plane:
    """One worker's data plane."""

    def __init__(self, recorder: Recorder, ledger: Ledger | None = None) -> None:
        """``ledger`` is told what shadows' answers come to; without one that is only counted."""
        self.recorder = recorder
        self.meter = recorder.meter
        self.now = monotonic()
        self.wall = time()
        self.adopted = self.wall
        self.draining = False
        # Counts the times that everything written was sent: what was written in this turn is still here.
        self.turn = 0
        self.clients: set[ClientConnection] = set()
        self.application: Application | None = None
        self.snapshot: Snapshot
        self._pools: dict[str, Pool] = {}
        loop = asyncio.get_running_loop()
        self.call_soon, self.call_later = loop.call_soon, loop.call_later
        self.shadows = Shadows(self, self.meter, Ledger("", forget) if ledger is None else ledger)
        self._outbox: list[tuple[asyncio.Transport, bytes]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        worker = urandom(4)
        self._request_prefix = b"%012x-%b-" % (int(self.wall * 1000), worker.hex().encode())
        self._requests = count(1)
        self.decisions = count(int.from_bytes(worker, "big") << 32)

    def write(self, transport: asyncio.Transport, data: bytes) -> None:
        """Send when all that has arrived has been read, so that peers are woken once for many messages."""
        outbox = self._outbox
        if not outbox:
            self.call_soon(self.send_all)
        outbox.append((transport, data))

    def send_all(self) -> None:
        """Send now: before a connection is closed, or its sending half."""
        outbox, self._outbox = self._outbox, []
        self.turn += 1
        for transport, data in outbox:
            try:
                transport.write(data)
            except RuntimeError:
                continue  # it was closed in the meantime; its protocol hears of that by itself

    @property
    def last_written(self) -> bytes:
        """What `write` was given last in this turn."""
        return self._outbox[-1][1]

    @property
    def pools(self) -> Mapping[str, Pool]:
        """The pools in use, by backend."""
        return self._pools

    # -- the request's path -------------------------------------------------------------------------------

    def new_request_id(self) -> bytes:
        """An id that no other worker makes, and that sorts by the worker's start."""
        return self._request_prefix + b"%08x" % next(self._requests)

    def own_header(self, exchange: Exchange, name: bytes, value: bytes) -> None:
        """A header of ours from a client: kept where it is signed, dropped where it is not."""
        if name == b"x-turnout-force":
            exchange.force = value
        elif name == b"x-turnout-token":
            try:
                read_token(value.decode("latin-1"), exchange.snapshot.state.key)
            except TokenError:
                return
            exchange.head += (name, b": ", value, b"\r\n")

    def answer_locally(self, exchange: Exchange) -> None:
        """Run the service's own application for a request, as a task of its own."""
        task = asyncio.get_running_loop().create_task(self._run(exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, exchange: Exchange) -> None:
        assert self.application is not None
        if self.draining:
            exchange.keep_alive = False
        try:
            content = await answer(self.application, exchange)
        except Exception as error:
            # Without the query, which may hold a secret.
            path = exchange.target.partition(b"?")[0].decode("latin-1")
            text = f"the service's own route {path} failed"
            say(log, "route_failed", text, logging.ERROR, error, path=path)
            exchange.refuse(Refusal(500, "internal", "the service failed to answer; its log says why"))
            return
        exchange.answered_locally(content, close=not exchange.keep_alive)

    # -- a change -----------------------------------------------------------------------------------------

    def adopt(self, state: State) -> None:
        """Build the snapshot of a state, which may fail, then swap one pointer, which cannot."""
        pools = {}
        for name, backend in state.settings.backends.items():
            present = self._pools.get(name)
            keep = present is not None and present.backend == backend
            pools[name] = (
                present if keep and present is not None else Pool(name, backend, self, self.meter.pool(name))
            )
        shadows = self.shadows.build(state.settings)
        snapshot = build(state, pools, self.recorder, getattr(self, "snapshot", None), shadows.mirrors)

        # A worker may have waited long for its first state, and nobody swept meanwhile.
        self.tick()
        before, self._pools = self._pools, pools
        self.snapshot = snapshot
        self.adopted = self.wall
        self.shadows.adopt(shadows)
        for name, pool in before.items():
            if pools.get(name) is not pool:
                pool.retire()

    def attribution(self, experiment: str) -> float:
        """An experiment's attribution window, in seconds; the longest there is for one that is gone."""
        known = self.snapshot.state.settings.experiments.get(experiment)
        return LONGEST_WINDOW if known is None else known.attribution

    # -- the sweep ----------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Advance the clock."""
        self.now = monotonic()
        self.wall = time()

    async def keep_sweeping(self) -> None:
        """Advance the clock and enforce deadlines until cancelled."""
        rounds = 0
        while True:
            await asyncio.sleep(SWEEP)
            self.tick()
            rounds += 1
            self._sweep(connections=rounds % 5 == 0)

    def _sweep(self, *, connections: bool) -> None:
        now = self.now
        for client in [client for client in self.clients if client.current is not None]:
            if client.current is not None and client.current.deadline < now:
                client.current.expire()
        self.shadows.sweep()
        if not connections:
            return
        for client in list(self.clients):
            if client.deadline < now:
                client.expire()
            elif client.send_deadline < now:
                client.abort()
        for pool in self._pools.values():
            pool.sweep()
