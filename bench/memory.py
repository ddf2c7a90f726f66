"""Is a worker's memory flat over a million requests, and what does an idle connection cost it?

python -m bench.memory --requests 1000000 --connections 10000
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, cast

import typer
import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.contestants import PATH, turnout
from bench.load import Order
from bench.processes import LoadGenerator, resident_bytes
from bench.proxies import PROXY_CORE, TRAFFIC_CORE, traffic

_MIB = 1024 * 1024
_STEPS = 20


class Idler(asyncio.Protocol):
    """One client that sends one request and then keeps its connection open."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's class is not registered as one
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.answered.done():
            self.answered.set_result(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if not self.answered.done():
            self.answered.set_exception(error or ConnectionError("closed without an answer"))


def over_requests(console: Console, load: LoadGenerator, port: int, pid: int, requests: int) -> None:
    """RSS after each twentieth of the requests; the growth of the second half is what a leak would show."""
    sizes: list[int] = []
    with Progress(console=console, transient=True) as progress:
        for _ in progress.track(range(_STEPS), description=f"{requests:,} requests"):
            result = load.run(Order(port, requests // _STEPS, 32, PATH, "x-turnout-token:"))
            if result.errors:
                raise SystemExit(f"errors under load: {result.errors}")
            sizes.append(resident_bytes(pid))
    table = Table(title="a worker's own resident memory", min_width=40)
    table.add_column("after requests", justify="right")
    table.add_column("MiB", justify="right")
    for step, size in enumerate(sizes, 1):
        if step == 1 or step % (_STEPS // 4) == 0:
            table.add_row(f"{requests // _STEPS * step:,}", f"{size / _MIB:.1f}")
    console.print(table)
    half = requests // 2
    grown = sizes[-1] - sizes[_STEPS // 2 - 1]
    console.print(
        f"second half: {grown / 1024:+,.0f} KiB over {half:,} requests, {grown / half:+.2f} bytes each"
    )


async def over_connections(console: Console, port: int, pid: int, connections: int) -> None:
    """RSS before, with, and after that many idle keep-alive connections."""
    loop = asyncio.get_running_loop()
    before = resident_bytes(pid)
    clients: list[Idler] = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"{connections:,} idle connections", total=connections)
        for number in range(connections):
            head = f"GET {PATH} HTTP/1.1\r\nhost: bench\r\nx-user-id: idle-{number}\r\n\r\n".encode()
            _, client = await loop.create_connection(partial(Idler, head), "127.0.0.1", port)
            clients.append(client)
            answer = await client.answered
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"connection {number}: {answer[:80]!r}")
            progress.update(task, advance=1)
    held = resident_bytes(pid)
    lost = sum(client.lost for client in clients)
    for client in clients:
        client.transport.close()
    console.print(
        f"{connections:,} idle connections ({lost} lost): {before / _MIB:.1f} -> {held / _MIB:.1f} MiB, "
        f"{(held - before) / connections / 1024:.1f} KiB each"
    )


def main(
    requests: Annotated[int, typer.Option(help="Requests over which memory should stay flat.")] = 1_000_000,
    connections: Annotated[int, typer.Option(help="Idle connections that are held at once.")] = 10_000,
) -> None:
    """One worker under load, then holding idle connections."""
    console = Console(width=100)
    needed = connections + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < needed:
        raise SystemExit(f"{needed} open files are needed; the hard limit is {hard} (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="turnout-bench-")))
        ports, load = stack.enter_context(traffic(folder))
        started = stack.enter_context(turnout(folder, ports, PROXY_CORE, TRAFFIC_CORE))
        over_requests(console, load, started.port, started.pids[0], requests)
        uvloop.run(over_connections(console, started.port, started.pids[0], connections))


if __name__ == "__main__":
    typer.run(main)
