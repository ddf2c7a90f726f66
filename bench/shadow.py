"""What does a request cost in CPU time when each one is also copied to a shadow, compared with Envoy?

As `bench.proxies`, with a third backend that gets a copy of every request: Turnout compares its answers with
the clients' (JSON, one member ignored) as far as the budget for that goes, Envoy mirrors by
`request_mirror_policies` and drops them. Both may have 256 connections to it. How many copies were sent is
read from the proxies' own counters; a run in which one in a thousand or more was not copied is invalid.

    python -m bench.shadow --rounds 15 --requests 20000 --json result.json
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from functools import partial
from math import comb
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console

from bench.contestants import PATH, Contestant, envoy, turnout
from bench.load import Order
from bench.processes import free_port, running, wait_until_listening
from bench.profile import print_profile
from bench.proxies import PROXY_CORE, TRAFFIC_CORE, ratios, report, run_rounds, traffic

BAR = 0.65
_LEAST_COPIED = 0.999


def copies(contestant: Contestant) -> int:
    """How many copies a proxy says that it sent."""
    path, line = {
        "turnout": ("/metrics", 'turnout_shadow_copies_total{outcome="sent"'),
        "envoy": ("/stats?filter=cluster.c.upstream_rq_total", "cluster.c.upstream_rq_total:"),
    }[contestant.name]
    url = f"http://127.0.0.1:{contestant.control_port}{path}"
    with urllib.request.urlopen(url, timeout=20) as answer:
        text = answer.read().decode()
    for each in text.splitlines():
        if each.startswith(line) or ("turnout_shadow_copies_total{" in each and 'outcome="sent"' in each):
            return round(float(each.rpartition(" ")[2]))
    raise SystemExit(f"{contestant.name} counts no copies:\n{text[-2000:]}")


def median_interval(values: list[float], level: float = 0.95) -> tuple[float, float] | None:
    """A distribution-free interval for the median, by order statistics; None for too few values.

    >>> median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    (1.0, 6.0)
    """
    ordered, size = sorted(values), len(values)
    tail, rank = 0.0, 0
    while tail + comb(size, rank) / 2**size <= (1 - level) / 2:
        tail += comb(size, rank) / 2**size
        rank += 1
    return (ordered[rank - 1], ordered[size - rank]) if rank else None


@contextlib.contextmanager
def shadow_backend(folder: Path) -> Iterator[int]:
    """A third backend on the traffic core."""
    port, log = free_port(), folder / "shadow.log"
    command = [sys.executable, "-m", "bench.backend", f"{port}:c"]
    with running(command, TRAFFIC_CORE, log) as process:
        wait_until_listening(port, process, log)
        yield port


def main(
    rounds: Annotated[int, typer.Option(help="How many rounds are measured.")] = 15,
    requests: Annotated[int, typer.Option(help="Requests per proxy and round.")] = 20_000,
    connections: Annotated[int, typer.Option(help="Clients, each with one request outstanding.")] = 32,
    alone: Annotated[bool, typer.Option("--alone", help="Without copies, to see what they cost.")] = False,
    output: Annotated[Path | None, typer.Option("--json", help="Where the ratios are written.")] = None,
    profile: Annotated[int, typer.Option(help="Lines of Turnout's profile to print (needs py-spy).")] = 0,
) -> None:
    """Interleaved rounds of the same requests through Turnout and Envoy, each copying all of them."""
    console = Console(width=110)
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("two cores are needed: one for the proxy, one for backends and load")
    before = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="turnout-bench-")))
        ports, load = stack.enter_context(traffic(folder))
        shadow = None if alone else stack.enter_context(shadow_backend(folder))
        contestants = []
        for name, starter in (("turnout", turnout), ("envoy", envoy)):
            place = folder / name
            place.mkdir()
            started = partial(starter, shadow=shadow)(place, ports, PROXY_CORE, TRAFFIC_CORE)
            contestants.append(stack.enter_context(started))
        valid, invalid = run_rounds(console, contestants, load, rounds, requests, connections)
        copied = {} if alone else {each.name: copies(each) for each in contestants}
        report(console, contestants, valid)
        if profile:
            worker = contestants[0]
            order = Order(worker.port, 4 * requests, connections, PATH, worker.needs)
            print_profile(console, worker.pids[0], load, order, folder / "profile.txt", profile)

    found = ratios(valid, "envoy")
    if not found:
        raise SystemExit(f"no valid round: {[m.errors for round_ in invalid for m in round_]}")
    sent = (rounds + 1) * requests
    shares = {name: number / sent for name, number in copied.items()}
    ends = median_interval(found)
    console.print(
        f"{rounds} rounds of {requests:,} requests over {connections} connections, {len(invalid)} invalid; "
        f"{platform.system()} {platform.release()}; load {before:.1f} before, {os.getloadavg()[0]:.1f} after"
    )
    for name, share in shares.items():
        console.print(f"{name} copied {share:.2%}" + ("" if share >= _LEAST_COPIED else ": INVALID"))
    interval = "" if ends is None else f" (95 % interval {ends[0]:.3f} to {ends[1]:.3f})"
    verdict = "" if alone else f"; the bar is {BAR}"
    console.print(f"CPU per request, turnout / envoy: median {median(found):.3f}{interval}{verdict}")
    if output is not None:
        output.write_text(json.dumps({"ratios": found, "median_interval": ends, "copied": shares}, indent=1))


if __name__ == "__main__":
    typer.run(main)
