"""How long does a report over 4 variants, 20 metrics and 50 epochs take, and how long is its evidence read?

``python -m bench.report_speed`` keeps such an experiment in a Redis server of its own, reads it as the
service does, and reports on what was read. It prints the time that passes (median, fastest and slowest of the
repetitions), the processor's time beside it, what else the machine was doing, and what each part costs. The
bar, 100 ms, is the report's: off the data plane, of evidence that is in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import TypeVar

import numpy as np
from redis.asyncio import Redis

from policies.assignment import BUCKETS, POSITIONS
from policies.latency_cells import CELLS
from policies.statistics.evidence import ExperimentEvidence
from policies.statistics.report import report, to_json
from policies.statistics.reporting.effects import Analysis
from policies.statistics.reporting.health import checks
from policies.statistics.reporting.traffic import Traffic, measure
from router.control.evidence import read_evidence
from router.control.reports import analysis_of
from router.settings import Duration, Experiment, Metric, UnitSource, Variant
from router.state import Epoch
from router.store import keys, layout
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from router.store.states import record_epoch

BAR_MS = 100.0
UNITS = 2500
NAME = "speed"
T = TypeVar("T")


@dataclass(slots=True)
class Times:
    """Of each repetition: the milliseconds that passed, and those of this process' processor."""

    passed: list[float] = field(default_factory=list)
    computed: list[float] = field(default_factory=list)

    def take(self, started: tuple[float, float]) -> None:
        self.passed.append((perf_counter() - started[0]) * 1e3)
        self.computed.append((process_time() - started[1]) * 1e3)

    def __str__(self) -> str:
        middle = statistics.median(self.passed)
        spread = f"{min(self.passed):.1f} to {max(self.passed):.1f}"
        return f"{middle:.1f} ms (median; {spread}), {statistics.median(self.computed):.1f} ms of CPU"


def now() -> tuple[float, float]:
    return perf_counter(), process_time()


def experiment(variants: int, metrics: int) -> Experiment:
    """Half of the metrics binary and half means, some per request, with a margin or a covariate."""
    return Experiment(
        unit=(UnitSource(header="x-user-id"),),
        variants={f"v{i}": Variant(backend="b", weight=1.0) for i in range(variants)},
        control="v0",
        metrics=tuple(
            Metric(
                name=f"m{m}",
                kind="binary" if m % 2 else "mean",
                per="request" if m % 3 == 0 else "outcome",
                margin=0.01 if m % 4 == 1 else None,
                covariate="m0" if m % 10 == 2 else None,
            )
            for m in range(metrics)
        ),
        attribution=Duration(3600),
    )


def sums(epoch: int, variant: str, metrics: tuple[Metric, ...], seed: int) -> Iterator[tuple[str, bytes]]:
    """A variant's keys and what Redis holds there: four requests a bucket, an outcome for most of them."""
    rng = np.random.default_rng((seed, epoch, int(variant[1:])))
    requests = rng.poisson(4.0, BUCKETS)
    place = NAME, epoch, variant
    microseconds = [
        (1e6 * (requests * mean + rng.normal(0.0, spread, BUCKETS) * np.sqrt(requests))).clip(0.0)
        for mean, spread in ((0.02, 0.004), (0.03, 0.005))
    ]
    for what, counts in zip(
        layout.ARRAYS[:4], (requests, rng.binomial(requests, 0.01), *microseconds), strict=True
    ):
        yield keys.sums(*place, what), counts.astype(layout.COUNT_TYPE).tobytes()
    cells = rng.poisson(requests.sum() / layout.GROUPS / 120.0, (layout.GROUPS, CELLS))
    cells[:, :250] = cells[:, 370:] = 0
    for what, shift in zip(layout.ARRAYS[4:], (0, 10), strict=True):
        yield keys.sums(*place, what), np.roll(cells, shift, axis=1).astype(layout.CELL_TYPE).tobytes()
    for metric in metrics:
        where = (*place, metric.name, metric.kind)
        counted = rng.binomial(requests, 0.8)
        binary = metric.kind == "binary"
        total = rng.binomial(counted, 0.1) if binary else rng.normal(counted * 3.0, np.sqrt(counted))
        yield keys.outcomes(*where, "count"), counted.astype(layout.COUNT_TYPE).tobytes()
        yield keys.outcomes(*where, "sum"), total.astype(layout.SUM_TYPE).tobytes()
    marked = np.zeros(POSITIONS, np.uint8)
    marked[rng.integers(0, POSITIONS, UNITS)] = 1
    yield keys.sums(*place, "units"), np.packbits(marked).tobytes()


async def fill(redis: Redis, given: Experiment, epochs: int, seed: int = 1) -> None:
    """Keep an experiment of so many epochs, an hour each."""
    weights = dict.fromkeys(given.variants, 1.0)
    for e in range(1, epochs + 1):
        await record_epoch(
            redis, NAME, Epoch(number=e, started=e * 3600.0, salt=NAME, weights=weights, why="")
        )
        for variant in weights:
            await redis.mset(dict(sums(e, variant, given.metrics, seed)))
            await redis.hset(keys.sums(NAME, e, variant, "periods"), mapping={str(e * 3600 + 10): 10})


async def measured(given: argparse.Namespace, redis: Redis) -> None:
    """Fill, read and report, and print what it took."""
    found = experiment(given.variants, given.metrics)
    until = (given.epochs + 1) * 3600.0
    await fill(redis, found, given.epochs)
    evidence = await read_evidence(redis, NAME, found, until)
    report(evidence, *analysis_of(found), until)
    reading, reporting = Times(), Times()
    for _ in range(given.repeat):
        gc.collect()
        started = now()
        evidence = await read_evidence(redis, NAME, found, until)
        reading.take(started)
        started = now()
        report(evidence, *analysis_of(found), until)
        reporting.take(started)

    print(f"{given.variants} variants, {given.metrics} metrics, {given.epochs} epochs")
    within = "within" if statistics.median(reporting.passed) < BAR_MS else "MISSED"
    print(f"report: {reporting}; bar {BAR_MS:.0f} ms: {within}")
    print(f"read from Redis, by a socket: {reading}")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors: ", end="")
    print("times of a quiet machine need a load below 1")
    for name, milliseconds in parts(found, evidence, until).items():
        print(f"  {milliseconds:7.1f} ms  {name}")


def parts(given: Experiment, evidence: ExperimentEvidence, until: float) -> dict[str, float]:
    """The processor's milliseconds for each part of one report."""
    specs, settings = analysis_of(given)
    found: dict[str, float] = {}

    def timed(name: str, part: Callable[[], T]) -> T:
        started = process_time()
        result = part()
        found[name] = (process_time() - started) * 1e3
        return result

    traffic = timed("traffic", lambda: Traffic.of(evidence))
    timed("its checks", lambda: checks(traffic, settings))
    analysis = timed(
        "metrics and latencies",
        lambda: Analysis(traffic, measure(traffic, specs), settings, None, until),
    )
    timed("adjustment and decisions", analysis.effects)
    timed("variants' quantiles", lambda: [analysis.means(v) for v in range(len(traffic.variants))])
    whole = report(evidence, specs, settings, until)
    text = timed("JSON, not in the report's time", lambda: json.dumps(to_json(whole), allow_nan=False))
    found[f"JSON ({len(text) / 1024:.0f} KiB), not in the report's time"] = found.pop(
        "JSON, not in the report's time"
    )
    return found


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=4)
    parser.add_argument("--metrics", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedRedis(Path(directory))
        server.start()
        try:
            redis = connect(server.url)
            await measured(given, redis)
            await redis.aclose()
        finally:
            server.stop()


if __name__ == "__main__":
    asyncio.run(main())
