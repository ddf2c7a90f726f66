"""Does a shadow that misbehaves slow down the clients of the model beside it?

One router, one model that takes 3 ms, in a process of its own (another event would shift its timer), and
routes: two without a shadow, and one for each fault, whose every
request is copied to a shadow that has it. One shadow has none: it answers after 5 ms. Each pair of requests
goes to the first without and to one of the others, in an order that is drawn; the differences are taken
within a pair, and those of the second without show what the measurement itself makes of no difference. Then:
what became of the copies, all of which are to be accounted for.

    python -m bench.shadow_isolation --pairs 3000
    python -m bench.shadow_isolation --fault hangs      no other fault beside it
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from selectors import SelectSelector
from statistics import median, quantiles
from time import perf_counter, sleep
from typing import Annotated, cast

import httpx
import typer
import uvloop
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from bench.processes import free_port, running, wait_until_listening
from bench.shadow import median_interval
from router.worker_totals import ANSWERS

# "is not there" is the control: a second route without a shadow.
CONTROL = "is-not-there"
# Nobody listens there.
ABSENT = "refuses-connections"
MODEL_SECONDS = 0.003
WARM_UP = 100
_ANSWER = b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"label":1}'
_FAILURE = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
# By what answers: after so many seconds, and what.
_ANSWERS = {
    "main": (MODEL_SECONDS, _ANSWER),
    "answers": (0.005, _ANSWER),
    "answers-500": (0.005, _FAILURE),
    "answers-slowly": (0.5, _ANSWER),
    "closes-in-a-body": (0.005, _ANSWER[:-4]),
}
KINDS = (CONTROL, *list(_ANSWERS)[1:], "hangs", "closes", ABSENT)
_BODY = json.dumps({"instances": [[0.5] * 28]}).encode()


class Model(asyncio.Protocol):
    """A backend of one kind; for each read one request is taken to have come."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if self._kind in _ANSWERS:
            seconds, answer = _ANSWERS[self._kind]
            asyncio.get_running_loop().call_later(seconds, self._answer, answer)
        elif self._kind == "closes":
            self._transport.close()

    def _answer(self, answer: bytes) -> None:
        assert self._transport is not None
        self._transport.write(answer)
        if self._kind == "closes-in-a-body":
            self._transport.close()


async def serve(places: dict[str, int]) -> None:
    """All backends, until the process is ended."""
    for kind, port in places.items():
        if kind == ABSENT:
            continue
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


async def measure(port: int, kinds: Sequence[str], pairs: int, rate: float) -> dict[str, list[float]]:
    """For each kind of shadow, by how many seconds longer than without one each pair's request took."""
    draw = random.Random(7)
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    other = Client(*await asyncio.open_connection("127.0.0.1", port))
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    due = perf_counter()
    for number in range(pairs + WARM_UP):
        for kind in draw.sample(kinds, len(kinds)):
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - perf_counter()))
            order = [f"/{kind}", "/none"]
            draw.shuffle(order)
            took = {path: await each.ask(path) for path, each in zip(order, (client, other), strict=True)}
            if took[f"/{kind}"][1] != took["/none"][1]:
                raise SystemExit(f"with a shadow that {kind} the answer was another")
            if number >= WARM_UP:
                found[kind].append(took[f"/{kind}"][0] - took["/none"][0])
    for each in (client, other):
        each.close()
    return found


def accounts(port: int, kinds: Sequence[str], requests: int) -> dict[str, str]:
    """What became of each shadow's copies, when all of so many are over and counted; else `SystemExit`."""
    waited = perf_counter() + 30.0
    while True:
        found: dict[str, dict[str, int]] = {kind: {} for kind in kinds if kind != CONTROL}
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        for family in text_string_to_metric_families(metrics):
            if family.name not in ("turnout_shadow_copies", "turnout_shadow_answers"):
                continue
            for sample in family.samples:
                what = " ".join(filter(None, (sample.labels["outcome"], sample.labels.get("reason"))))
                if sample.value and sample.labels["shadow"] in found:
                    found[sample.labels["shadow"]][what] = int(sample.value)
        if all(_accounted(counts, requests) for counts in found.values()):
            return {
                kind: ", ".join(f"{name} {n}" for name, n in each.items()) for kind, each in found.items()
            }
        if perf_counter() > waited:
            raise SystemExit(f"of {requests} copies for each these are accounted for: {found}")
        sleep(0.2)


def _accounted(counts: dict[str, int], requests: int) -> bool:
    ended = sum(counts.get(how, 0) for how in ANSWERS)
    return ended == counts.get("sent", 0) and sum(counts.values()) - ended == requests


def _copied(kind: str) -> dict[str, object]:
    return {} if kind == CONTROL else {"repeatable": True, "shadows": [kind]}


def main(
    pairs: Annotated[int, typer.Option(help="Pairs of requests for each kind of shadow.")] = 3000,
    rate: Annotated[float, typer.Option(help="Pairs a second, at most.")] = 200.0,
    fault: Annotated[list[str] | None, typer.Option(help="Only these; may be said again.")] = None,
    backends: Annotated[str, typer.Option(help="Ports by kind, as JSON: serve as these.", hidden=True)] = "",
) -> None:
    """Paired latency differences between routes with shadows and one without."""
    if backends:
        # Of all selectors, select alone knows times shorter than a millisecond.
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(SelectSelector())) as runner:
            runner.run(serve(json.loads(backends)))
        return
    unknown = sorted({*(fault or ())} - {*KINDS})
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}; known: {', '.join(KINDS)}", param_hint="--fault")
    kinds = tuple(dict.fromkeys((CONTROL, *(fault or KINDS))))
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
        models = [sys.executable, "-m", "bench.shadow_isolation", "--backends"]
        with (
            running([*models, json.dumps({"main": backend})], 1, folder / "backend.log") as process,
            running([*models, json.dumps(shadows)], 1, folder / "shadows.log"),
            running(command, 0, log) as router,
        ):
            wait_until_listening(backend, process, folder / "backend.log")
            wait_until_listening(port, router, log)
            found = uvloop.run(measure(port, kinds, pairs, rate))
            copies = accounts(control, kinds, pairs + WARM_UP)
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
        if kind in copies:
            console.print(f"    copies: {copies[kind]}", highlight=False)


if __name__ == "__main__":
    typer.run(main)
