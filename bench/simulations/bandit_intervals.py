"""Do a bandit's intervals hold, and does its traffic go to the right arm, while the baseline drifts?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from bench.simulations.bandit_runs import drifting, run
from bench.simulations.bandit_runs import steady as constant

BATCHES = 25


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """A share of runs with the band it must keep; with None any number, which is only shown."""

    world: str
    what: str
    measured: float
    runs: int
    band: tuple[float, float] | None = None

    @property
    def inside(self) -> bool:
        """Within the band, or no farther from it than two standard errors of what was measured."""
        if self.band is None:
            return True
        noise = 2.0 * sqrt(self.measured * (1.0 - self.measured) / self.runs)
        return self.band[0] - noise <= self.measured <= self.band[1] + noise


def interval_rows(scale: float = 1.0) -> Iterator[IntervalRow]:
    """All of them, as they are measured."""
    worlds: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("drift, 25 batches of 100", {}, {"floor": 0.1, "min_units": 0}),
        ("steady, 25 batches of 100", {"steady": True}, {"floor": 0.1, "min_units": 0}),
        ("drift, default parameters", {}, {}),
        ("drift, effect 0.05", {"effect": 0.05}, {"floor": 0.1, "min_units": 0}),
        ("drift, 200 batches of 50", {"batch": 50, "batches": 200}, {}),
    ]
    for name, world, parameters in worlds:
        runs = round((200 if world.get("batches") else 1500) * scale)
        yield from held(name, runs, **world, **parameters)
    for arms in (2, 3):
        yield right_arm(arms, round(100 * scale))


def held(
    name: str, runs: int, *, effect: float = 0.0, steady: bool = False, batch: int = 100,
    batches: int = BATCHES, **parameters: Any,
) -> Iterator[IntervalRow]:  # fmt: skip
    """How often the interval at the end covers the true difference, and how often any look errs."""
    path = constant([0.3, 0.3 + effect]) if steady else drifting([0.3, 0.3 + effect])
    covered, errs, estimates = 0, 0, []
    for rng in np.random.default_rng(17).spawn(runs):
        ever = []
        done = run(
            "thompson", path, batch=batch, rng=rng, horizon=batch * batches, look=ever.append, **parameters
        )
        found = done.plan.findings["batched_ols"]["arm-1"]
        covered += found["low"] <= effect <= found["high"]
        errs += any(low is not None and not low <= effect <= high for low, high in ever)
        estimates.append(found["estimate"])
    yield IntervalRow(name, "batched OLS covers, at the end", covered / runs, runs, (0.94, 0.96))
    yield IntervalRow(name, "sequential errs, at any look", errs / runs, runs, (0.0, 0.03))
    yield IntervalRow(name, "mean estimate less the truth", float(np.mean(estimates)) - effect, runs)


def right_arm(arms: int, runs: int) -> IntervalRow:
    """Lower is better, under drift: how often the best arm has most of the traffic in the end."""
    rates = [0.30, 0.20, 0.28][:arms]
    right = 0
    for rng in np.random.default_rng(18).spawn(runs):
        weights = run("thompson", drifting(rates), batch=100, rng=rng, goal="decrease").plan.weights
        right += max(weights, key=lambda name: weights[name]) == "arm-1"
    return IntervalRow(
        f"lower is better, {arms} arms, drift", "best arm leads", right / runs, runs, (0.95, 1.0)
    )
