"""How do the processes of a node start, stay, and end together: its data plane, its control plane, or both?

The supervisor holds the listening sockets, one for each worker's place. A worker that dies leaves its socket
behind, and with it the connections that had not been accepted: its successor takes them over.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path

from router.control.exposure import check_exposure
from router.errors import TurnoutError
from router.heartbeats import LATE_SECONDS
from router.hosting import DRAIN_SECONDS
from router.last_state import load as load_last_state
from router.listening import listen, listen_together, url_of
from router.node_places import Sockets, places_of
from router.options import NodeOptions
from router.places import WATCH_SECONDS, Place, stop_all
from router.store.embedded import EmbeddedRedis
from router.voice import Voice

START_SECONDS = 60.0
WITHOUT_REDIS_SECONDS = 5.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# A worker that is late at so many looks in a row is replaced. At one look every worker may seem late, after a
# pause of the whole machine.
_LATE_LOOKS = round(LATE_SECONDS / WATCH_SECONDS)


def supervise(options: NodeOptions) -> int:
    """Run a node until SIGTERM or SIGINT; the exit status. `TurnoutError` where it cannot start."""
    options.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    voice = Voice(options.log_format)
    with contextlib.ExitStack() as held:
        proxy, control = options.proxy, options.control
        sockets = Sockets()
        if proxy is not None:
            held.enter_context(_alone(options.data_dir))
            sockets.data = listen_together(proxy.host, proxy.port, proxy.workers)
            for listener in sockets.data:
                held.enter_context(listener)
        embedded = None
        if options.redis_url is None:
            embedded = EmbeddedRedis(options.data_dir / "redis")
            embedded.start()
            held.callback(embedded.stop)
        redis_url = embedded.url if embedded is not None else str(options.redis_url)
        if control is not None:
            check_exposure(control.host, redis_url, options.data_dir)
            sockets.control = held.enter_context(listen(control.host, control.port))
        if proxy is not None and proxy.metrics_port is not None:
            sockets.metrics = held.enter_context(listen(proxy.metrics_host, proxy.metrics_port))
        return asyncio.run(_Supervisor(options, redis_url, sockets, embedded, voice).run())


@contextlib.contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """One data plane for each directory: the workers' counts in it are summed up as one node's."""
    with (data_dir / "proxy.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TurnoutError(
                f"another router's workers use {data_dir}; allowed: one at a time, so stop the other one or "
                "give another --data-dir"
            ) from None
        yield


class _Supervisor:
    def __init__(
        self,
        options: NodeOptions,
        redis_url: str,
        sockets: Sockets,
        embedded: EmbeddedRedis | None,
        voice: Voice,
    ) -> None:
        self._options = options
        self._sockets = sockets
        self._embedded = embedded
        self._voice = voice
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._started: list[Place] = []
        # Closed on our side as soon as the node begins to end, so that whoever asks from then on knows.
        draining_fd, self._not_draining_fd = os.pipe()
        places = places_of(options, redis_url, sockets, draining_fd, voice)
        self._control, self._probes, self._workers = places.control, places.probes, places.workers
        self._beats = places.beats
        self._late = [0] * len(places.workers)

    # -- a node's life ------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Start in order, watch, and end in the opposite order."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._signalled)
        try:
            await self._start_all()
            if not self._stop.is_set():
                self._announce()
            while not self._stop.is_set():
                await _pause(self._stop)
                self._watch()
            await self._delay()
        finally:
            await self._end()
            # What is left to do takes a moment, in which a signal must not kill.
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)
        return 0

    def _signalled(self) -> None:
        """The first signal begins the end; a second one cuts the delay short, and nothing else."""
        if self._stop.is_set():
            self._hurry.set()
            return
        self._stop.set()
        os.close(self._not_draining_fd)

    async def _start_all(self) -> None:
        if self._probes is not None:
            self._start(self._probes)
        if self._control is not None:
            self._start(self._control)
            if not await self._all_ready([self._control], self._patience()):
                self._voice.say(
                    "redis_away",
                    "the control plane waits for Redis; the workers start from the last snapshot",
                    logging.WARNING,
                )
        elif load_last_state(self._options.data_dir) is None:
            # One worker waits for the first state there is, so that this is said once, and keeps it for all.
            self._start(self._workers[0])
            await self._all_ready(self._workers[:1], inf)
        for worker in self._workers:
            if worker not in self._started:
                self._start(worker)
        places = [place for place in self._started if place is not self._control]
        if not await self._all_ready(places, START_SECONDS):
            raise self._too_late(places, START_SECONDS)

    def _start(self, place: Place) -> None:
        if not self._stop.is_set():
            place.start()
            self._started.append(place)

    def _patience(self) -> float:
        """How long the control plane is waited for: with a last snapshot, workers can start before it."""
        if not self._workers:
            return inf
        return START_SECONDS if load_last_state(self._options.data_dir) is None else WITHOUT_REDIS_SECONDS

    async def _all_ready(self, places: Sequence[Place], patience: float) -> bool:
        """Whether they are, or the node is told to end, before the patience is; `TurnoutError` if never."""
        deadline = time.monotonic() + patience
        while not all(place.ready for place in places) and not self._stop.is_set():
            if time.monotonic() > deadline:
                if places == [self._control] and load_last_state(self._options.data_dir) is None:
                    raise self._too_late(places, patience)
                return False
            await _pause(self._stop)
            for place in places:
                if place.failed:
                    raise TurnoutError(f"{place.name} could not start; what it said is above")
            self._watch()
        return True

    @staticmethod
    def _too_late(places: Sequence[Place], patience: float) -> TurnoutError:
        late = ", ".join(place.name for place in places if not place.ready)
        return TurnoutError(f"not ready within {patience:g} s: {late}; is Redis reachable?")

    def _announce(self) -> None:
        """The line that says that it serves, and where: what is not on this node is not in it."""
        about: dict[str, object] = {}
        if self._sockets.data:
            about["data"] = url_of(self._sockets.data[0])
        if self._sockets.control is not None:
            about["control"] = url_of(self._sockets.control)
        if self._workers:
            about["workers"] = len(self._workers)
        if self._sockets.metrics is not None:
            about["metrics"] = url_of(self._sockets.metrics)
        text = " ".join(f"{name} {value}" for name, value in about.items())
        self._voice.say("ready", f"ready: {text}", **about)

    # -- watching -----------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """See after everything that was started."""
        for place in self._started:
            place.watch()
        self._replace_stuck()
        if self._embedded is not None and self._embedded.poll() is not None:
            self._voice.say("redis_ended", "the embedded Redis ended; starting it again", logging.WARNING)
            try:
                self._embedded.start()
            except TurnoutError as error:
                self._voice.say("redis_not_started", str(error), logging.ERROR, detail=error)

    def _replace_stuck(self) -> None:
        for number, (worker, age) in enumerate(zip(self._workers, self._beats.ages(), strict=False)):
            late = age is not None and age > LATE_SECONDS
            self._late[number] = self._late[number] + 1 if late else 0
            if self._late[number] > _LATE_LOOKS:
                self._voice.say(
                    "worker_stuck",
                    f"{worker.name} has been stuck for {age:.0f} s; replacing it",
                    logging.ERROR,
                    process=worker.name,
                    seconds=age,
                )
                self._beats.clear(number)
                worker.signal(signal.SIGKILL)

    # -- the end ------------------------------------------------------------------------------------------

    async def _delay(self) -> None:
        """Serve on while load balancers notice that the node is not ready any more."""
        seconds = 0.0 if self._options.proxy is None else self._options.proxy.drain_delay
        if seconds:
            self._voice.say(
                "draining", f"not ready any more; serving on for {seconds:g} s", drain_delay=seconds
            )
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._hurry.is_set():
            await _pause(self._hurry)
            self._watch()

    async def _end(self) -> None:
        # Our own copies first: only then is a socket that a worker closes closed for the clients, too.
        for listener in self._sockets.data:
            listener.close()
        await stop_all(self._workers, DRAIN_SECONDS + 10)
        for other in (self._sockets.control, self._sockets.metrics):
            if other is not None:
                other.close()
        await stop_all([place for place in (self._control, self._probes) if place is not None], 10)


async def _pause(until: asyncio.Event) -> None:
    """Wait a moment, or until an event."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WATCH_SECONDS):
            await until.wait()
