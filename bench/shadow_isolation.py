"""Does a shadow that misbehaves slow down the clients of the model beside it?

One router, one model that takes 3 ms, and routes: two without a shadow, and three whose every request is
copied to a shadow that answers after 5 ms, hangs, or closes. Each pair of requests goes to the first without
and to one of the others, in an order that is drawn; the differences are taken within a pair, and those of the
second without show what the measurement itself makes of no difference.

    python -m bench.shadow_isolation --pairs 3000
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Annotated, cast

import typer
import uvloop
from rich.console import Console

from bench.processes import free_port, running, wait_until_listening
from bench.shadow import median_interval

# "is not there" is the control: a second route without a shadow.
CONTROL = "is-not-there"
KINDS = (CONTROL, "answers", "hangs", "closes")
MODEL_SECONDS, SHADOW_SECONDS = 0.003, 0.005
_ANSWER = b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"label":1}'
_BODY = json.dumps({"instances": [[0.5] * 28]}).encode()


class Model(asyncio.Protocol):
    """A backend of one kind; for each read one request is taken to have come."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's class is not registered as one

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if self._kind in ("main", "answers"):
            seconds = MODEL_SECONDS if self._kind == "main" else SHADOW_SECONDS
            asyncio.get_running_loop().call_later(seconds, self._transport.write, _ANSWER)
        elif self._kind == "closes":
            self._transport.close()


async def serve(places: dict[str, int]) -> None:
    """All backends, until the process is ended."""
    for kind, port in places.items():
        await asyncio.get_running_loop().create_server(partial(Model, kind), "127.0.0.1", port)
    await asyncio.Event().wait()


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, path: str) -> tuple[float, bytes]:
        """How many seconds one request took, and the body that was answered."""
        head = f"POST {path} HTTP/1.1\r\nhost: m\r\ncontent-length: {len(_BODY)}\r\n\r\n".encode()
        began = perf_counter()
        self._writer.write(head + _BODY)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if not answer.startswith(b"http/1.1 200"):
            raise SystemExit(f"{path} answered {answer[:60]!r}")
        length = int(answer.partition(b"content-length:")[2].split(b"\r")[0])
        body = await self._reader.readexactly(length)
        return perf_counter() - began, body

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def measure(port: int, pairs: int, rate: float) -> dict[str, list[float]]:
    """For each kind of shadow, by how many seconds longer than without one each pair's request took."""
    draw = random.Random(7)
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    other = Client(*await asyncio.open_connection("127.0.0.1", port))
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    due = perf_counter()
    for number in range(pairs + 100):
        for kind in draw.sample(KINDS, len(KINDS)):
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - perf_counter()))
            order = [f"/{kind}", "/none"]
            draw.shuffle(order)
            took = {path: await each.ask(path) for path, each in zip(order, (client, other), strict=True)}
            if took[f"/{kind}"][1] != took["/none"][1]:
                raise SystemExit(f"with a shadow that {kind} the answer was another")
            if number >= 100:
                found[kind].append(took[f"/{kind}"][0] - took["/none"][0])
    for each in (client, other):
        each.close()
    return found


def _copied(kind: str) -> dict[str, object]:
    return {} if kind == CONTROL else {"repeatable": True, "shadows": [kind]}


def main(
    pairs: Annotated[int, typer.Option(help="Pairs of requests for each kind of shadow.")] = 3000,
    rate: Annotated[float, typer.Option(help="Pairs a second, at most.")] = 200.0,
    backends: Annotated[str, typer.Option(help="Ports by kind, as JSON: serve as these.", hidden=True)] = "",
) -> None:
    """Paired latency differences between routes with shadows and one without."""
    if backends:
        uvloop.run(serve(json.loads(backends)))
        return
    console = Console(width=110)
    shadows = {kind: free_port() for kind in KINDS}
    backend, port, control = free_port(), free_port(), free_port()
    routes: list[dict[str, object]] = [{"path": "/none", "backend": "main"}]
    routes += [{"path": f"/{kind}", "backend": "main", **_copied(kind)} for kind in KINDS]
    config = {
        "backends": {"main": {"url": f"http://127.0.0.1:{backend}"}}
        | {kind: {"url": f"http://127.0.0.1:{place}"} for kind, place in shadows.items()},
        "routes": routes,
        "shadows": {kind: {"backend": kind, "timeout": "1s"} for kind in KINDS if kind != CONTROL},
    }
    with tempfile.TemporaryDirectory(prefix="turnout-bench-") as name:
        folder = Path(name)
        file, log = folder / "turnout.yaml", folder / "turnout.log"
        file.write_text(json.dumps(config))
        command = [sys.executable, "-m", "router.cli", "serve", "--config", str(file), "--workers", "1"]
        command += ["--port", str(port), "--control-port", str(control), "--data-dir", str(folder / "data")]
        places = json.dumps({"main": backend, **shadows})
        models = [sys.executable, "-m", "bench.shadow_isolation", "--backends", places]
        with (
            running(models, 1, folder / "backend.log") as process,
            running(command, 0, log) as router,
        ):
            wait_until_listening(backend, process, folder / "backend.log")
            wait_until_listening(port, router, log)
            found = uvloop.run(measure(port, pairs, rate))
    console.print(f"{pairs} pairs for each, {rate:g} pairs a second; load {os.getloadavg()[0]:.1f}")
    for kind, differences in found.items():
        ends = median_interval(differences)
        assert ends is not None
        tail = quantiles(differences, n=100)
        console.print(
            f"a shadow that {kind}: median {median(differences) * 1e6:+.0f} us "
            f"(95 % interval {ends[0] * 1e6:+.0f} to {ends[1] * 1e6:+.0f}), "
            f"1st and 99th percentile {tail[0] * 1e6:+.0f} and {tail[-1] * 1e6:+.0f} us",
            highlight=False,
        )


if __name__ == "__main__":
    typer.run(main)
