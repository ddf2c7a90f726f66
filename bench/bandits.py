"""What do the bandits lose, beside Thompson sampling as others measured it, and do their intervals hold?

    python -m bench.bandits                        the regret table: most of an hour on one core
    python -m bench.bandits --scale 0.1            a tenth of the runs
    python -m bench.bandits --only B               rows whose name has this pattern (a regular expression)
    python -m bench.bandits --intervals            coverage, false positives and where the traffic goes

Pseudo-regret at 10,000 requests: what the chosen arms' true rates lose against the best's. Every row runs the
policy's own ``plan`` on epochs as the service would observe them, but for those per request, in which each
request is drawn from the posteriors. ``theirs`` are 200 runs of a sampler of its own (100 where batched). A
row is inside when the two means are within three standard errors of their difference.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from bench.simulations.bandit_intervals import interval_rows
from bench.simulations.bandit_runs import per_request, run, steady

INSTANCES: dict[str, tuple[float, ...]] = {
    "A": (0.1, *[0.05] * 3, *[0.02] * 3, *[0.01] * 3),
    "B": (0.5, *[0.4] * 9),
    "C": (0.5, *[0.48] * 9),
    "D": tuple(k / 10 for k in range(1, 10)),
    "E": (0.9, 0.8),
    "F": (0.80, 0.78, 0.75),
}
THOMPSON = {"A": (79.1, 1.1), "B": (166.0, 3.4), "C": (155.0, 1.9), "D": (41.7, 0.7), "E": (10.6, 0.6),
            "F": (51.9, 2.4)}  # fmt: skip
BATCHED = {  # (instance, floor per arm, batch): regret of 100 runs; its standard error is Thompson's, by runs
    ("B", 0.0, 10): 172.0, ("B", 0.0, 100): 171.0, ("B", 0.0, 1000): 214.0,
    ("B", 0.01, 10): 224.0, ("B", 0.01, 100): 230.0, ("B", 0.01, 1000): 282.0,
    ("B", 0.05, 10): 522.0, ("B", 0.05, 100): 518.0, ("B", 0.05, 1000): 552.0,
    ("F", 0.0, 100): 53.5, ("F", 0.0, 1000): 58.6, ("F", 0.01, 100): 56.2, ("F", 0.01, 1000): 64.7,
    ("F", 0.05, 100): 77.1, ("F", 0.05, 1000): 85.9,
}  # fmt: skip
RUNS = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One world: how to measure it for so many runs, and the regret that others had, if any."""

    name: str
    measure: Callable[[int], np.ndarray]
    theirs: tuple[float, float] | None = None
    runs: int = RUNS


def rows() -> Iterator[Row]:
    for name, rates in INSTANCES.items():
        yield Row(f"{name} thompson, drawn per request", _per_request(name, rates), THOMPSON[name])
    for baseline in ("stable", "drifting"):
        for name in INSTANCES:
            measure = _planned("thompson", name, 10, baseline=baseline)
            yield Row(f"{name} thompson {baseline}, batch 10", measure, THOMPSON[name], 40)
        for (name, least, batch), regret in BATCHED.items():
            measure = _planned("thompson", name, batch, baseline=baseline, floor=least * len(INSTANCES[name]))
            theirs = regret, THOMPSON[name][1] * sqrt(2.0)
            runs = 40 if batch == 10 else RUNS
            yield Row(
                f"{name} thompson {baseline}, batch {batch}, {least:.0%} per arm", measure, theirs, runs
            )
    for name in ("B", "F"):
        measure = _planned("thompson", name, 100, floor=0.05, min_units=100)
        yield Row(f"{name} thompson by default, batch 100", measure)
        for kind in ("top-two", "track-and-stop", "epsilon-greedy"):
            yield Row(
                f"{name} {kind} by default, batch 100", _planned(kind, name, 100, floor=0.05, min_units=100)
            )


def _per_request(name: str, rates: Sequence[float]) -> Callable[[int], np.ndarray]:
    return lambda runs: per_request(rates, runs, 10_000, np.random.default_rng(_seed(name)))


def _planned(kind: str, name: str, batch: int, **parameters: object) -> Callable[[int], np.ndarray]:
    chosen = {"floor": 0.0, "min_units": 0, "guardrails": (), **parameters}
    seed = _seed(f"{kind} {name} {batch} {sorted(chosen.items())}")

    def measure(runs: int) -> np.ndarray:
        path = steady(INSTANCES[name])
        generators = np.random.default_rng(seed).spawn(runs)
        return np.array([run(kind, path, batch=batch, rng=each, **chosen).regret for each in generators])

    return measure


def _seed(text: str) -> int:
    return zlib.crc32(text.encode())


def regret_rows(only: str, scale: float) -> bool:
    """Prints each row when it is measured; False when one is outside."""
    fine = True
    for row in rows():
        if not re.search(only, row.name):
            continue
        began = time.perf_counter()
        found = row.measure(max(round(row.runs * scale), 2))
        mean, error = float(found.mean()), float(found.std(ddof=1)) / sqrt(len(found))
        cells = [f"{mean:7.1f} se {error:4.1f}", f"95 %: {np.quantile(found, 0.95):5.0f}"]
        if row.theirs is not None:
            z = (mean - row.theirs[0]) / sqrt(error**2 + row.theirs[1] ** 2)
            fine = fine and abs(z) <= 3.0
            verdict = "inside" if abs(z) <= 3.0 else "OUTSIDE"
            cells.append(f"theirs {row.theirs[0]:6.1f} se {row.theirs[1]:3.1f}, z {z:+5.1f} {verdict}")
        print(f"{row.name:45}", *cells, f"{time.perf_counter() - began:.0f} s", sep=" | ", flush=True)
    return fine


def intervals(scale: float) -> bool:
    """Prints how often intervals and tests hold; False when one is outside its band."""
    fine = True
    for row in interval_rows(scale):
        fine = fine and row.inside
        band = "" if row.band is None else f"band {row.band[0]:g} to {row.band[1]:g}"
        verdict = "" if row.band is None else "inside" if row.inside else "OUTSIDE"
        print(f"{row.world:32} | {row.what:32} | {row.measured:6.3f} | {band:15} | {verdict}", flush=True)
    return fine


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="times the number of runs")
    parser.add_argument("--only", default="", help="rows whose name has this pattern")
    parser.add_argument("--intervals", action="store_true", help="intervals in place of regret")
    chosen = parser.parse_args()
    fine = intervals(chosen.scale) if chosen.intervals else regret_rows(chosen.only, chosen.scale)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
