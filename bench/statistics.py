"""How often does each statistical method err, measured, against the band it must keep?

    python -m bench.statistics                 all simulations, a minute or two on one core
    python -m bench.statistics --scale 0.1     a tenth of the runs
    python -m bench.statistics --markdown      the table as Markdown

Every row is a simulation with a fixed seed. Rows without a band are what not to do, shown beside what holds.
Bands are for all runs. With fewer, chance alone moves what is measured, so a band is allowed the more: it is
widened by that error, at the 4 standard errors that one sound row in 15,000 exceeds, and both are shown.
Ends with status 1 when a measured value is outside what is allowed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.simulations.bandit import World, looked_at_every_batch, looked_at_once
from bench.simulations.peeking import peeking
from bench.simulations.quantiles import coverage
from bench.simulations.splits import canary, sample_ratio

Band = tuple[float, float]

ERRORS: Final = 4.0


@dataclass(frozen=True, slots=True)
class Row:
    """One measured share; the band is None for a method that is shown only to be seen failing.

    ``part`` is the share of the simulation's runs that it took. ``runs`` are how many those were, and
    ``planned`` how many the band is for: fewer when the whole is scaled down.
    """

    world: str
    method: str
    measured: float
    band: Band | None
    part: float = 1.0
    runs: float = 1.0
    planned: float = 1.0

    @property
    def allowed(self) -> Band | None:
        """The band, widened by the error that fewer runs than planned bring."""
        if self.band is None:
            return None
        low, high = self.band
        return widened(low, -1, self.runs, self.planned), widened(high, 1, self.runs, self.planned)

    @property
    def verdict(self) -> str:
        if self.allowed is None:
            return ""
        return "pass" if self.allowed[0] <= self.measured <= self.allowed[1] else "FAIL"


def widened(end: float, side: int, runs: float, planned: float) -> float:
    """An end of a band (side -1 its low one, 1 the high one) for ``runs`` in place of ``planned``.

    If all runs would show this share p, these, a part of them, show it with the variance
    ``p (1 - p) (1 / runs - 1 / planned)``, and in steps of a run. An end of 0 or 1 does not move.
    Source: sampling without replacement, Cochran (1977).

    >>> widened(0.05, 1, 1000, 1000), round(widened(0.05, 1, 100, 1000), 6), widened(0.0, -1, 10, 1000)
    (0.05, 0.137704, 0.0)
    """
    if runs >= planned or end in (0.0, 1.0):
        return end
    error = sqrt(end * (1.0 - end) * (1.0 / runs - 1.0 / planned))
    return min(1.0, max(0.0, end + side * (ERRORS * error + 0.5 / runs)))


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulation's name and the rows it gives for a number of runs."""

    name: str
    runs: int
    rows: Callable[[int], list[Row]]


def of_null(runs: int) -> list[Row]:
    found, world = peeking(runs, 11), "A/A, 20,000 a variant: false positives"
    return [
        Row(world, "z test, one look", found.one_look, (0.04, 0.06)),
        Row(world, "z test, 10 looks", found.peeked_10, None),
        Row(world, "z test, 200 looks", found.peeked_200, (0.35, 1.0)),
        Row(world, "asymptotic CS, n* = 5,000, 200 looks", found.asymptotic_5000, (0.0, 0.03)),
        Row(world, "asymptotic CS, n* = 20,000, 200 looks", found.asymptotic_20000, (0.0, 0.03)),
        Row(world, "one-sided asymptotic CS, 200 looks", found.one_sided_20000, (0.0, 0.03)),
        Row(world, "mSPRT, 200 looks", found.msprt, (0.0, 0.03), part=0.25),
        Row(world, "group sequential, O'Brien-Fleming, 10 looks", found.obrien_fleming_10, (0.04, 0.055)),
        Row(world, "group sequential, Pocock, 10 looks", found.pocock_10, (0.04, 0.055)),
    ]


def of_effect(runs: int) -> list[Row]:
    found, world = peeking(runs, 12, lift=0.1), "+10 % lift, 20,000 a variant: power"
    return [
        Row(world, "z test, one look", found.one_look, (0.88, 0.92)),
        Row(world, "asymptotic CS, n* = 20,000, 200 looks", found.asymptotic_20000, (0.65, 0.72)),
        Row(world, "one-sided asymptotic CS, 200 looks", found.one_sided_20000, (0.70, 0.85)),
        Row(world, "group sequential, O'Brien-Fleming, 10 looks", found.obrien_fleming_10, (0.86, 0.91)),
    ]


def of_bandit(world: World, name: str, seed: int) -> Callable[[int], list[Row]]:
    def rows(runs: int) -> list[Row]:
        once, every = looked_at_once(runs, seed, world), looked_at_every_batch(runs // 4, seed, world)
        at_end, watched = f"{name}, one look: false positives", f"{name}, a look per batch: false positives"
        return [
            Row(at_end, "pooled z test", once.pooled, (0.1, 1.0) if world.drift else None),
            Row(at_end, "batched OLS", once.batched_ols, (0.04, 0.06)),
            Row(at_end, "stratified by traffic", once.stratified_by_traffic, None),
            Row(at_end, "stratified, CMH weights", once.stratified_cmh, None),
            Row(
                watched, "pooled asymptotic CS", every.pooled, (0.1, 1.0) if world.drift else None, part=0.25
            ),
            Row(
                watched, "stratified by traffic, asymptotic CS", every.stratified_by_traffic, None, part=0.25
            ),
            Row(
                watched,
                "stratified, CMH weights, asymptotic CS",
                every.stratified_cmh,
                (0.0, 0.03),
                part=0.25,
            ),
            Row(watched, "sequential batched OLS", every.sequential_batched_ols, (0.0, 0.03), part=0.25),
        ]

    return rows


def of_quantiles(runs: int) -> list[Row]:
    rows = []
    for q in (0.5, 0.95, 0.99):
        found, world = coverage(runs, 31, q), f"p{100 * q:g} latency, 10 requests a user: coverage"
        rows += [
            Row(world, "order statistics, as if independent", found.naive, (0.0, 0.8)),
            Row(world, "clustered interval", found.clustered, (0.93, 1.0)),
            Row(world, "clustered difference of two variants", found.difference, (0.93, 1.0)),
        ]
    return rows


def of_splits(runs: int) -> list[Row]:
    fair, skewed = sample_ratio(runs, 41), sample_ratio(runs, 42, treatment=0.493)
    silent, found = "fair 50/50, 100,000 units: alarms at 0.001", "50.7/49.3, 100,000 units: alarms at 0.001"
    return [
        Row(silent, "SRM chi-square, one look", fair.chi_square_once, (0.0, 0.002)),
        Row(silent, "SRM chi-square, 200 looks", fair.chi_square_every_look, None),
        Row(silent, "sequential SRM, 200 looks", fair.sequential[10_000.0], (0.0, 0.001)),
        Row(found, "SRM chi-square, one look", skewed.chi_square_once, (0.8, 1.0)),
        Row(found, "sequential SRM, 200 looks", skewed.sequential[10_000.0], (0.5, 1.0)),
        *(
            Row(found, f"sequential SRM, concentration {k:,.0f}, 200 looks", share, None)
            for k, share in sorted(skewed.sequential.items())
            if k != 10_000.0
        ),
        Row(found, "likelihood ratio, told how far off it is, 200 looks", skewed.known, None),
    ]


def of_canaries(runs: int) -> list[Row]:
    sound, worse = canary(runs, 51), canary(runs, 52, ratio=1.5)
    same, more = (
        "sound canary, swinging error rate: rolled back",
        "canary with 1.5 times the errors: rolled back",
    )
    return [
        Row(same, "sequential multinomial, one-sided, 200 looks", sound.rolled_back, (0.0, 0.05)),
        Row(same, "sequential multinomial, two-sided, 200 looks", sound.two_sided, (0.0, 0.05)),
        Row(more, "sequential multinomial, one-sided, 200 looks", worse.rolled_back, (0.9, 1.0)),
        Row(more, "sequential multinomial, two-sided, 200 looks", worse.two_sided, (0.85, 1.0)),
    ]


SIMULATIONS = (
    Simulation("A/A peeking", 10_000, of_null),
    Simulation("power", 10_000, of_effect),
    Simulation("bandit, drifting baseline", 8_000, of_bandit(World(), "bandit, drifting baseline", 21)),
    Simulation(
        "bandit, steady baseline", 8_000, of_bandit(World(drift=False), "bandit, steady baseline", 22)
    ),
    Simulation("clustered quantiles", 2_000, of_quantiles),
    Simulation("sample ratio", 100_000, of_splits),
    Simulation("canary", 2_000, of_canaries),
)


def measured(scale: float, console: Console) -> Iterator[Row]:
    """All rows, with progress on the console."""
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("simulating", total=len(SIMULATIONS))
        for simulation in SIMULATIONS:
            progress.update(task, description=simulation.name)
            runs = max(40, int(simulation.runs * scale))
            for row in simulation.rows(runs):
                yield replace(row, runs=runs * row.part, planned=simulation.runs * row.part)
            progress.advance(task)


def percent(band: Band | None) -> str:
    return "shown only" if band is None else f"{100 * band[0]:.3g} to {100 * band[1]:.3g} %"


def markdown(rows: list[Row]) -> str:
    columns = [["world", "method", "measured", "band"], ["---"] * 4]
    columns += [[r.world, r.method, f"{100 * r.measured:.2f} %", percent(r.band)] for r in rows]
    if any(row.allowed != row.band for row in rows):
        extra = ["allowed with so few runs", "---", *(percent(row.allowed) for row in rows)]
        columns = [[*cells, more] for cells, more in zip(columns, extra, strict=True)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in columns)


def table(rows: list[Row]) -> Table:
    result = Table(
        "world", "method", "measured", "band", "allowed", "verdict", title="Measured against the bands"
    )
    before = ""
    for row in rows:
        result.add_section() if row.world != before else None
        style = {"pass": "green", "FAIL": "bold red"}.get(row.verdict, "dim")
        name = row.world if row.world != before else ""
        verdict = f"[{style}]{row.verdict}[/]" if row.verdict else ""
        result.add_row(
            name, row.method, f"{100 * row.measured:.2f} %", percent(row.band), percent(row.allowed), verdict
        )
        before = row.world
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="share of the runs to do (default 1)")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    arguments = parser.parse_args()
    rows = list(measured(arguments.scale, Console(stderr=True)))
    if arguments.markdown:
        print(markdown(rows))
    else:
        Console().print(table(rows))
    return 1 if any(row.verdict == "FAIL" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
