"""What happens in a load test, from the requests to the capacity that was found?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from router.cli.client import Client
from router.cli.contexts import Target
from router.cli.loadtest.capture import capture
from router.cli.loadtest.requests import Recorded, read_requests, write_requests
from router.cli.loadtest.sender import Aim, Sender
from router.cli.loadtest.steps import Limits, Step, broken, outrun, rates
from router.cli.options import Output
from router.cli.showing import rows, show
from router.errors import ConfigurationError

_COLUMNS = ("rate/s#", "answered/s#", "errors#", "p50 ms#", "p90 ms#", "p99 ms#", "longest ms#", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line may choose. Times are in seconds."""

    backend: str
    from_file: Path | None
    from_traffic: str | None
    count: int
    patience: float
    listen: str
    save: Path | None
    start_rate: float
    to_rate: float
    factor: float
    step_seconds: float
    limits: Limits
    connections: int
    timeout: float
    seed: int


@dataclass(frozen=True, slots=True)
class Found:
    """What each step came to, the capacity (the largest rate that kept to all limits), and why it ended."""

    steps: tuple[Step, ...]
    capacity: float | None
    ended: str


async def run(options: Options, target: Target, output: Output) -> int:
    """The exit status: 0 where at least the first rate kept to all limits, else 1."""
    console = Console(stderr=True, highlight=False, emoji=False)
    if (options.from_file is None) == (options.from_traffic is None):
        raise ConfigurationError("the requests come from one place; allowed: --from-file or --from-traffic")
    host, port = _address(options.backend, target)
    requests = await _requests(options, target, console)
    if options.save is not None:
        write_requests(options.save, requests)

    aim = Aim(host, port, options.connections, options.timeout)
    sender = Sender(aim, [each.written(f"{host}:{port}") for each in requests], options.seed)
    try:
        found = await find_capacity(options, sender, console)
    finally:
        sender.close()
    show(output, _plain(options, found, len(requests)), lambda to: _print(to, options, found, len(requests)))
    return 0 if found.capacity is not None else 1


async def find_capacity(options: Options, sender: Sender, console: Console) -> Found:
    """Raise the rate until a limit is broken, or the last rate kept to them all."""
    steps: list[Step] = []
    capacity: float | None = None
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f} answered"))
    with Progress(*columns, console=console, transient=True) as progress:
        for rate in rates(options.start_rate, options.to_rate, options.factor):
            task = progress.add_task(f"{rate:g}/s", total=rate * options.step_seconds)
            step = await sender.step(rate, options.step_seconds, partial(_advance, progress, task))
            progress.remove_task(task)
            steps.append(step)
            if outrun(step):
                return Found(
                    tuple(steps), capacity, "this machine cannot send faster: its own sending was late"
                )
            why = broken(step, options.limits)
            if why is not None:
                return Found(tuple(steps), capacity, f"at {rate:g}/s {why}")
            capacity = rate
    return Found(tuple(steps), capacity, "the last rate was reached, and all limits were kept")


def _advance(progress: Progress, task: TaskID, due: int, answered: int) -> None:
    progress.update(task, completed=answered, total=max(due, answered, 1))


def _address(backend: str, target: Target) -> tuple[str, int]:
    """Of a URL, or of a backend's name at the router."""
    url = backend
    if "://" not in backend:
        with Client(target) as client:
            found = client.get("backends", backend).read(dict[str, Any])
        url = found["url"] if isinstance(found["url"], str) else found["url"][0]
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError as error:
        raise ConfigurationError(f"{url} is no address: {error}; allowed: http://HOST:PORT") from None
    if parts.scheme != "http" or not parts.hostname:
        raise ConfigurationError(f"{url} is no address of a backend; allowed: http://HOST:PORT, or its name")
    return parts.hostname, port


async def _requests(options: Options, target: Target, console: Console) -> tuple[Recorded, ...]:
    if options.from_file is not None:
        return read_requests(options.from_file)
    assert options.from_traffic is not None
    with Client(target) as client, console.status("") as status:
        return await capture(
            client,
            options.from_traffic,
            options.count,
            options.patience,
            options.listen,
            lambda taken: status.update(f"{taken} of {options.count} requests of {options.from_traffic}"),
        )


def _plain(options: Options, found: Found, requests: int) -> dict[str, Any]:
    steps = [{**asdict(step), "throughput": step.throughput, "errors": step.errors} for step in found.steps]
    limits = {"errors": options.limits.errors, "p99": options.limits.p99}
    return {
        "backend": options.backend,
        "requests": requests,
        "limits": limits,
        "steps": steps,
        "capacity": found.capacity,
        "ended": found.ended,
    }


def _print(to: Console, options: Options, found: Found, requests: int) -> None:
    to.print(
        rows(f"{options.backend}: {requests} different requests", _COLUMNS, _cells(options, found.steps))
    )
    to.print(found.ended, markup=False)
    if found.capacity is None:
        to.print("capacity: below the first rate", markup=False)
    else:
        last = found.steps[-1].rate
        beyond = f"; {last:g} were too many" if last > found.capacity and not outrun(found.steps[-1]) else ""
        to.print(f"capacity: {found.capacity:g} requests a second{beyond}", markup=False)


def _cells(options: Options, steps: Sequence[Step]) -> list[tuple[str, ...]]:
    return [
        (
            f"{step.rate:g}",
            f"{step.throughput:.1f}",
            f"{step.errors:.2%}",
            *(
                f"{seconds * 1e3:.1f}" if step.answered else ""
                for seconds in (step.p50, step.p90, step.p99, step.longest)
            ),
            "sent late" if outrun(step) else "beyond" if broken(step, options.limits) else "ok",
        )
        for step in steps
    ]
