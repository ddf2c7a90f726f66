"""What does one request cost in CPU time, compared with Envoy and nginx doing the same split?

Each proxy runs pinned to one core, the backends and the load generator to the other. In every round each
proxy gets the same number of requests, in an order that changes from round to round, so that a slow minute of
the machine falls on all of them; the ratios are taken within a round. CPU time is the kernel's own account of
the proxy's processes. A round in which any answer was wrong counts for nothing and is reported.

    python -m bench.proxies --rounds 15 --requests 20000 --json result.json
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from bench.contestants import PATH, STARTERS, Contestant
from bench.load import Order, Result
from bench.processes import (
    LoadGenerator,
    cpu_seconds,
    free_port,
    kernel_seconds,
    running,
    wait_until_listening,
)
from bench.profile import print_profile

PROXY_CORE = 0
TRAFFIC_CORE = 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """One proxy in one round."""

    proxy: str
    round: int
    cpu_us: float
    kernel_share: float
    helpers_us: float
    busy: float
    requests_per_second: float
    p50_us: float
    p99_us: float
    share_b: float
    errors: dict[str, int]


def measure(
    contestant: Contestant, load: LoadGenerator, number: int, requests: int, connections: int
) -> Measurement:
    """Requests to one proxy, and the CPU time that its processes took for them."""
    order = Order(contestant.port, requests, connections, PATH, contestant.needs)
    before = [sum(map(cpu_seconds, pids)) for pids in (contestant.pids, contestant.helpers)]
    kernel = sum(map(kernel_seconds, contestant.pids))
    result: Result = load.run(order)
    kernel = sum(map(kernel_seconds, contestant.pids)) - kernel
    after = [sum(map(cpu_seconds, pids)) for pids in (contestant.pids, contestant.helpers)]
    spent = [late - early for early, late in zip(before, after, strict=True)]
    answered = max(sum(result.served.values()), 1)
    return Measurement(
        proxy=contestant.name,
        round=number,
        cpu_us=spent[0] / requests * 1e6,
        kernel_share=kernel / spent[0],
        helpers_us=spent[1] / requests * 1e6,
        busy=spent[0] / result.seconds,
        requests_per_second=answered / result.seconds,
        p50_us=result.p50_us,
        p99_us=result.p99_us,
        share_b=result.served["b"] / answered,
        errors=result.errors,
    )


@contextlib.contextmanager
def traffic(folder: Path) -> Iterator[tuple[tuple[int, int], LoadGenerator]]:
    """Two backends and a load generator on the traffic core."""
    ports = (free_port(), free_port())
    backend = [sys.executable, "-m", "bench.backend", *(f"{p}:{n}" for p, n in zip(ports, "ab", strict=True))]
    generator = [sys.executable, "-m", "bench.load"]
    log = folder / "backend.log"
    with (
        running(backend, TRAFFIC_CORE, log) as backends,
        running(generator, TRAFFIC_CORE, folder / "load.log", subprocess.PIPE, subprocess.PIPE) as loader,
    ):
        for port in ports:
            wait_until_listening(port, backends, log)
        yield ports, LoadGenerator(loader)


def spread(values: list[float]) -> str:
    """Median and the quartiles around it."""
    if len(values) < 2:
        return f"{values[0]:.3g}" if values else "-"
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return f"{middle:.3g} [{low:.3g}, {high:.3g}]"


def ratios(valid: list[list[Measurement]], other: str) -> list[float]:
    """Turnout's CPU time per request over another's, one per round."""
    pairs = [{m.proxy: m.cpu_us for m in round_} for round_ in valid]
    return [pair["turnout"] / pair[other] for pair in pairs if "turnout" in pair and other in pair]


def report(console: Console, contestants: list[Contestant], valid: list[list[Measurement]]) -> None:
    """The table: one line per proxy, median and quartiles over the rounds."""
    table = Table(title="CPU time per request; median \\[quartiles] over the rounds")
    table.add_column("proxy", no_wrap=True)
    for heading in ("CPU us", "kernel", "turnout / it", "requests/s", "p50 us", "core", "to b"):
        table.add_column(heading, justify="right", no_wrap=True)
    for contestant in contestants:
        mine = [m for round_ in valid for m in round_ if m.proxy == contestant.name]
        if not mine:
            continue
        table.add_row(
            contestant.name,
            escape(spread([m.cpu_us for m in mine])),
            f"{median(m.kernel_share for m in mine):.0%}",
            "" if contestant.name == "turnout" else escape(spread(ratios(valid, contestant.name))),
            f"{median(m.requests_per_second for m in mine):,.0f}",
            f"{median(m.p50_us for m in mine):,.0f}",
            f"{median(m.busy for m in mine):.0%}",
            f"{median(m.share_b for m in mine):.2%}",
        )
    console.print(table)
    console.print(", ".join(f"{contestant.name}: {contestant.version}" for contestant in contestants))
    helpers = [m.helpers_us for round_ in valid for m in round_ if m.proxy == "turnout"]
    if helpers:
        console.print(
            f"turnout's Redis, control plane and supervisor, on the other core: {spread(helpers)} us/request",
            markup=False,
        )


def main(
    rounds: Annotated[int, typer.Option(help="How many rounds are measured.")] = 15,
    requests: Annotated[int, typer.Option(help="Requests per proxy and round.")] = 20_000,
    connections: Annotated[int, typer.Option(help="Clients, each with one request outstanding.")] = 32,
    only: Annotated[list[str] | None, typer.Option(help="Proxies to run; all by default.")] = None,
    output: Annotated[Path | None, typer.Option("--json", help="Where every measurement is written.")] = None,
    profile: Annotated[int, typer.Option(help="Lines of Turnout's profile to print (needs py-spy).")] = 0,
) -> None:
    """Interleaved rounds of the same requests to every proxy that is installed."""
    console = Console(width=110)
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("two cores are needed: one for the proxy, one for backends and load")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="turnout-bench-")))
        ports, load = stack.enter_context(traffic(folder))
        contestants = []
        for name in only or list(STARTERS):
            if name not in STARTERS:
                raise SystemExit(f"no proxy {name!r}; known: {', '.join(STARTERS)}")
            place = folder / name
            place.mkdir()
            try:
                started = STARTERS[name](place, ports, PROXY_CORE, TRAFFIC_CORE)
                contestants.append(stack.enter_context(started))
            except FileNotFoundError:
                console.print(f"{name} is not installed: left out")
        valid, invalid = run_rounds(console, contestants, load, rounds, requests, connections)
        console.print(
            f"{rounds} rounds of {requests:,} requests per proxy over {connections} connections; "
            f"{platform.system()} {platform.release()}, {os.cpu_count()} cores"
        )
        report(console, contestants, valid)
        for contestant in contestants:
            if profile and contestant.name == "turnout":
                order = Order(contestant.port, 4 * requests, connections, PATH, contestant.needs)
                print_profile(console, contestant.pids[0], load, order, folder / "profile.txt", profile)

    for round_ in invalid:
        console.print(f"round {round_[0].round} is invalid:", {m.proxy: m.errors for m in round_ if m.errors})
    if output is not None:
        versions = {contestant.name: contestant.version for contestant in contestants}
        document = {
            "requests": requests,
            "connections": connections,
            "kernel": platform.release(),
            "versions": versions,
            "ratios": {name: ratios(valid, name) for name in versions if name != "turnout"},
            "rounds": [[asdict(m) for m in round_] for round_ in valid],
            "invalid": [[asdict(m) for m in round_] for round_ in invalid],
        }
        output.write_text(json.dumps(document, indent=1))
    if not valid:
        raise SystemExit("no valid round")


def run_rounds(
    console: Console,
    contestants: list[Contestant],
    load: LoadGenerator,
    rounds: int,
    requests: int,
    connections: int,
) -> tuple[list[list[Measurement]], list[list[Measurement]]]:
    """Valid and invalid rounds; a first round warms everything up and is thrown away."""
    valid: list[list[Measurement]] = []
    invalid: list[list[Measurement]] = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("warming up", total=(rounds + 1) * len(contestants))
        for number in range(rounds + 1):
            turn = number % len(contestants)
            order = contestants[turn:] + contestants[:turn]
            if number % 2:
                order.reverse()
            round_ = []
            for contestant in order:
                round_.append(measure(contestant, load, number, requests, connections))
                progress.update(task, advance=1, description=f"round {number}/{rounds}, {contestant.name}")
            if any(m.errors for m in round_):
                invalid.append(round_)
            elif number:
                valid.append(round_)
    return valid, invalid


if __name__ == "__main__":
    typer.run(main)
