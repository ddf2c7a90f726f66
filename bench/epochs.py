"""What does an epoch cost in Redis while it runs, and once it is folded?

``python -m bench.epochs`` fills epochs of two variants and two metrics with traffic of several sizes, as
workers record it, and asks Redis by ``MEMORY USAGE`` what each part takes before and after it is folded; then
it fills as many epochs as a bandit opens, and says what they take and how long reading them takes.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Annotated, Final

import typer
from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from policies.assignment import BUCKETS
from router.control.evidence import read_evidence, types_of
from router.data.recorder import Recorder
from router.settings import Experiment, Metric, UnitSource, Variant
from router.state import Epoch
from router.store.cells import Place, fold, read_loose
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from router.store.outcomes import Outcome, add
from router.store.records import record
from router.store.states import record_epoch

NOW: Final = 1_700_000_000.0
LASTS: Final = 600.0
VARIANTS: Final = ("champion", "challenger")
EXPERIMENT: Final = Experiment(
    unit=(UnitSource(header="x-user-id"),),
    variants={name: Variant(backend=name, weight=50) for name in VARIANTS},
    control="champion",
    metrics=(Metric(name="clicked", kind="binary"), Metric(name="spent", kind="mean")),
)
_PARTS: Final = {
    "units": ("units",),
    "latency histograms": ("first_cells", "last_cells"),
    "other sums": ("requests", "errors", "first_byte", "last_byte", "periods"),
    "outcomes": ("binary:clicked:count", "binary:clicked:sum", "mean:spent:count", "mean:spent:sum"),
    "counters": ("fallbacks", "unidentified"),
    "folded": ("folded",),
}


async def fill(redis: Redis, folder: Path, number: int, units: int, rng: Random) -> None:
    """One epoch of so many units in each variant: three requests each, and an outcome of each metric."""
    recorder = Recorder(f"w{number}", partial(record, redis), folder, lambda _: float(EXPERIMENT.attribution))
    began = NOW + LASTS * number
    for variant in VARIANTS:
        accumulator = recorder.accumulator("bandit", number, variant)
        places = [rng.getrandbits(64) for _ in range(units)]
        for place in places:
            for _ in range(3):
                first = int(rng.lognormvariate(10.0, 0.6))
                last = first + int(rng.lognormvariate(9.0, 0.5))
                accumulator.add((place, first, last, 500 if rng.random() < 0.01 else 200, 0, 0.01))
        await recorder.flush(began + LASTS * rng.random())
        outcomes = list(_outcomes(number, variant, places, rng))
        for at in range(0, len(outcomes), 500):
            await add(redis, outcomes[at : at + 500])


def _outcomes(number: int, variant: str, places: list[int], rng: Random) -> Iterator[Outcome]:
    for place in places:
        for metric, value in (
            ("clicked", float(rng.random() < 0.1)),
            ("spent", rng.lognormvariate(1.0, 0.7)),
        ):
            yield Outcome(
                experiment="bandit",
                epoch=number,
                variant=variant,
                bucket=place % BUCKETS,
                dedupe=rng.randbytes(16),
                metric=metric,
                kind="binary" if metric == "clicked" else "mean",
                value=value,
                ttl_seconds=1,
            )


async def fold_all(redis: Redis, number: int, *, keep_bitmap: bool) -> None:
    """As the control process does some time after the epoch's end."""
    types = types_of(EXPERIMENT.metrics)
    for variant in VARIANTS:
        place = Place("bandit", number, variant)
        loose = await read_loose(redis, place, list(types))
        whole = loose.together(types, keep_bitmap=keep_bitmap)
        if whole != loose.folded and not await fold(redis, place, list(types), loose, whole):
            raise SystemExit("somebody else uses this Redis")


async def used(redis: Redis, number: int) -> Counter[str]:
    """Bytes by part of an epoch's keys, of both variants together."""
    found: Counter[str] = Counter()
    for part, names in _PARTS.items():
        for name in names:
            for variant in VARIANTS:
                size = await redis.memory_usage(Place("bandit", number, variant).key(name), samples=0)
                found[part] += size or 0
    return found


async def of_one_epoch(console: Console, redis: Redis, folder: Path) -> None:
    """What each part takes, by traffic."""
    table = Table(title="one epoch of two variants and two metrics, kB in Redis")
    table.add_column("units a variant", justify="right")
    for part in (*_PARTS, "in all"):
        table.add_column(part, justify="right")
    for units in (100, 1_000, 10_000, 100_000):
        rng = Random(units)
        await redis.flushall()
        await fill(redis, folder, 1, units, rng)
        for state, keep in (("running", None), ("ended", True), ("settled", False)):
            if keep is not None:
                await fold_all(redis, 1, keep_bitmap=keep)
            sizes = await used(redis, 1)
            numbers = [f"{size / 1000:.1f}" for size in (*(sizes[part] for part in _PARTS), sizes.total())]
            table.add_row(f"{units:,} {state}", *numbers)
    console.print(table)


async def of_a_bandit(console: Console, redis: Redis, folder: Path, epochs: int, units: int) -> None:
    """What many epochs take, and how long it takes to read them all and to fold one."""
    await redis.flushall()
    rng = Random(7)
    weights = dict.fromkeys(VARIANTS, 1.0)
    for number in range(1, epochs + 1):
        epoch = Epoch(number=number, started=NOW + LASTS * number, salt="s", weights=weights, why="")
        await record_epoch(redis, "bandit", epoch)
        await fill(redis, folder, number, units, rng)
    for state in ("not folded", "folded"):
        if state == "folded":
            began = perf_counter()
            for number in range(1, epochs + 1):
                await fold_all(redis, number, keep_bitmap=False)
            each = (perf_counter() - began) / epochs
            console.print(f"folding one epoch: {each * 1000:.1f} ms")
        sizes = Counter[str]()
        for number in range(1, epochs + 1):
            sizes += await used(redis, number)
        began = perf_counter()
        await read_evidence(redis, "bandit", EXPERIMENT, NOW)
        lasted = perf_counter() - began
        console.print(
            f"{epochs} epochs of {units:,} units a variant, {state}: {sizes.total() / 1e6:.1f} MB in Redis, "
            f"{sizes.total() / epochs / 1000:.1f} kB an epoch; read in {lasted * 1000:.0f} ms"
        )


async def run(epochs: int, units: int) -> None:
    """Both, over a Redis of their own."""
    console = Console(width=140)
    with tempfile.TemporaryDirectory(prefix="turnout-bench-") as name:
        folder = Path(name)
        server = EmbeddedRedis(folder)
        server.start()
        redis = connect(server.url)
        try:
            await of_one_epoch(console, redis, folder)
            await of_a_bandit(console, redis, folder, epochs, units)
        finally:
            await redis.aclose()
            server.stop()


def main(
    epochs: Annotated[int, typer.Option(help="How many epochs a bandit has opened.")] = 300,
    units: Annotated[int, typer.Option(help="How many units a variant has in each of them.")] = 200,
) -> None:
    """Fill, fold and measure."""
    asyncio.run(run(epochs, units))


if __name__ == "__main__":
    typer.run(main)
