"""How does a test look into a worker's data plane? It runs in the test's own loop, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uvicorn.server import ServerState

from router.config_file import read_settings
from router.data.downstream import ClientConnection
from router.data.plane import Plane
from router.data.pool import Pool
from router.data.recorder import Recorder
from router.data.shadow_ledger import Ledger
from router.epochs import advance
from router.errors import StoreUnavailable
from router.settings import Settings
from router.state import State
from router.store.records import Batch

KEY = b"k" * 32


def state_of(data: dict[str, Any], previous: State | None = None) -> State:
    """The state that these settings lead to."""
    settings: Settings = read_settings(data)
    return advance(previous, settings, 1_700_000_000.0, key=KEY)


async def nobody(batch: Batch) -> bool:
    """A store that is away."""
    raise StoreUnavailable("nobody is there")


@dataclass(frozen=True, slots=True)
class Running:
    """A plane that listens, its port, its clients, and what the event loop could not hand to anybody."""

    plane: Plane
    port: int
    faults: list[dict[str, Any]]
    clients: list[Client]

    def pool(self, name: str) -> Any:
        """The pool of a backend, as the present snapshot's requests use it."""
        return pools_of(self.plane)[name]

    async def connect(self) -> Client:
        """A new client connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24)
        client = Client(reader, writer)
        self.clients.append(client)
        return client


class Client:
    """One client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, method: str, target: str, *headers: str, body: bytes = b"") -> None:
        """Send one request."""
        lines = [f"{method} {target} HTTP/1.1", "Host: models.example", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def answer(self, seconds: float = 10) -> tuple[int, dict[str, str], bytes]:
        """The next answer with a length: its status, headers and body."""
        async with asyncio.timeout(seconds):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.partition(": ") for line in head[1:-2])
            headers = {name.lower(): value for name, _, value in pairs}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split(" ")[1]), headers, body

    async def request(self, target: str, *headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a GET and read its answer."""
        self.send("GET", target, *headers)
        return await self.answer()

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


def pools_of(plane: Plane) -> dict[str, Pool]:
    """The pools that a plane's present snapshot uses, by backend."""
    entries = list(plane.snapshot.prefixes.values())
    pools = [entry.pool for entry in entries if entry.pool is not None]
    slots = [slot for trial in plane.snapshot.trials.values() for slot in trial.slots.values()]
    pools += [each.pool for slot in slots for each in (slot, slot.fallback) if each is not None]
    return {pool.name: pool for pool in pools}


@contextlib.asynccontextmanager
async def running(state: State, folder: Path, ledger: Ledger | None = None) -> AsyncIterator[Running]:
    """A plane in force of this state, swept as a worker sweeps it; ``ledger`` is told of shadows' answers."""
    loop = asyncio.get_running_loop()
    faults: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: faults.append(context))
    plane = Plane(Recorder("writer", nobody, folder / "journal"), ledger)
    plane.adopt(state)
    shared = ServerState()
    server = await loop.create_server(
        lambda: ClientConnection(plane, server_state=shared), "127.0.0.1", 0, backlog=1024
    )
    sweep = asyncio.ensure_future(plane.keep_sweeping())
    clients: list[Client] = []
    try:
        yield Running(plane, server.sockets[0].getsockname()[1], faults, clients)
    finally:
        sweep.cancel()
        server.close()
        for ours in clients:
            ours.close()
            with contextlib.suppress(OSError):
                await ours.writer.wait_closed()
        for client in list(plane.clients):
            client.transport.abort()
        plane.shadows.close()
        pools = list(pools_of(plane).values())
        for pool in pools:
            pool.retire()
        await eventually(lambda: not plane.clients)
        await eventually(lambda: not any(address.open for pool in pools for address in pool.addresses))
        await eventually(lambda: not plane.shadows.connections)
        loop.set_exception_handler(None)


async def eventually(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Until the condition holds; an AssertionError when it does not come."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
