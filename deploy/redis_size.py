"""How much memory does Redis need for an experiment? Measured on a real server.

    python -m deploy.redis_size --variants 2 --metrics 1 --outcomes 100000

starts the embedded server, writes what an experiment can grow to (every bucket, every latency cell, every
unit's position, every period) and that many outcomes, and prints what each took.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from redis.asyncio import Redis

from policies.assignment import BUCKETS, POSITIONS
from policies.latency_cells import CELLS
from router.store import layout
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from router.store.outcomes import Outcome, add
from router.store.records import Batch, Delta, record

EXPERIMENT = "ranker"
WEEK = 7 * 86400
_BATCH = 1000
_POSITIONS = 1 << 16


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes: what each variant's sums of one epoch took, what these hold by the layout, and an outcome's."""

    sums: float
    implied: int
    outcome: float


def implied(metrics: int) -> int:
    """The bytes that one variant's arrays hold in one epoch, without what the server adds."""
    by_bucket = 8 * BUCKETS
    by_cell = 4 * layout.GROUPS * CELLS
    return 4 * by_bucket + 2 * by_cell + POSITIONS // 8 + metrics * 2 * by_bucket


async def measure(redis: Redis, variants: int, metrics: int, outcomes: int) -> Size:
    """Fill one experiment to the brim, and say what it took."""
    empty, numbered = await used(redis), 0
    for number in range(variants):
        for delta in full(number):
            numbered += 1
            await record(redis, Batch(experiment=EXPERIMENT, writer="w", number=numbered, deltas=[delta]))
        settled = [
            made(number, bucket, metric, os.urandom(16), seconds=1)
            for metric in range(metrics)
            for bucket in range(BUCKETS)
        ]
        for start in range(0, len(settled), _BATCH):
            await add(redis, settled[start : start + _BATCH])
    while await redis.exists(*[key async for key in redis.scan_iter("*:seen:*", 1000)] or ["none"]):
        await asyncio.sleep(0.1)
    filled = await used(redis)

    rng = Random(1)
    for start in range(0, outcomes, _BATCH):
        number = min(_BATCH, outcomes - start)
        await add(redis, [made(0, rng.randrange(BUCKETS), 0, rng.randbytes(16), WEEK) for _ in range(number)])
    full_of_outcomes = await used(redis)

    return Size(
        sums=(filled - empty) / variants,
        implied=implied(metrics),
        outcome=(full_of_outcomes - filled) / outcomes,
    )


def full(variant: int) -> Iterator[Delta]:
    """Everything that one epoch can have counted of a variant."""
    name = f"variant-{variant}"
    buckets = dict.fromkeys(range(BUCKETS), 1_000_000)
    cells = dict.fromkeys(range(layout.GROUPS * CELLS), 1_000)
    ends = range(0, WEEK, WEEK // layout.PERIODS_IN_WINDOW)
    yield Delta(
        epoch=1,
        variant=name,
        requests=buckets,
        errors=buckets,
        first_byte=buckets,
        last_byte=buckets,
        first_cells=cells,
        last_cells=cells,
        periods={1_700_000_000 + end: 1_000 for end in ends},
        unidentified=1,
    )
    for start in range(0, POSITIONS, _POSITIONS):
        yield Delta(epoch=1, variant=name, positions=list(range(start, start + _POSITIONS)))


def made(variant: int, bucket: int, metric: int, identity: bytes, seconds: int) -> Outcome:
    """One outcome that is remembered for so long."""
    return Outcome(
        experiment=EXPERIMENT,
        epoch=1,
        variant=f"variant-{variant}",
        bucket=bucket,
        dedupe=identity,
        metric=f"metric-{metric}",
        kind="mean",
        value=1.0,
        ttl_seconds=seconds,
    )


async def used(redis: Redis) -> int:
    """The bytes that the server's data take now."""
    memory = await redis.info("memory")
    return int(memory["used_memory"])


async def _run(variants: int, metrics: int, outcomes: int) -> Size:
    with TemporaryDirectory(prefix="turnout-size-") as folder:
        server = EmbeddedRedis(Path(folder))
        server.start()
        redis = connect(server.url)
        try:
            return await measure(redis, variants, metrics, outcomes)
        finally:
            await redis.aclose()
            server.stop()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--variants", type=int, default=2)
    parser.add_argument("--metrics", type=int, default=1)
    parser.add_argument("--outcomes", type=int, default=100_000)
    given = parser.parse_args(arguments)
    size = asyncio.run(_run(given.variants, given.metrics, given.outcomes))
    print(
        f"sums of a variant in an epoch, at most  {size.sums / 1024:,.0f} KiB "
        f"(by the layout: {size.implied / 1024:,.0f})"
    )
    print(f"an outcome, until it may not come again {size.outcome:,.0f} bytes")


if __name__ == "__main__":
    main()
