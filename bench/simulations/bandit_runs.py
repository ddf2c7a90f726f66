"""What do the bandit policies do with simulated traffic, planned by their own ``plan``?

A request comes every second, each from a unit of its own, and its reward (0 or 1) is known before the next
plan. Plans are made every ``batch`` seconds, or when the policy next may change the weights; a plan that does
closes the epoch, as in the service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.bandit.learning import least_gap
from policies.metric import MetricSpec
from policies.plan import Plan
from policies.policy import Allocation, find_policy
from policies.statistics.means import Mean
from policies.statistics.observed import Observed, ObservedEpoch, ObservedMetric, ObservedVariant

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Path = Callable[[float], Floats]

START = 1_700_000_000.0


@dataclass(frozen=True, slots=True)
class Run:
    """The pseudo-regret of one run, the last plan, and wins and trials by epoch, (E, K)."""

    regret: float
    plan: Plan
    wins: Counts
    trials: Counts


def steady(rates: Sequence[float]) -> Path:
    """Rates that do not change."""
    constant = np.asarray(rates, np.float64)
    return lambda share: constant


def drifting(rates: Sequence[float]) -> Path:
    """Rates whose common level goes up by 0.15 until half-time and down by 0.10 below the start after it."""
    base = np.asarray(rates, np.float64)
    return lambda share: base + float(np.interp(share, [0.0, 0.5, 1.0], [0.0, 0.15, -0.10]))


def run(
    kind: str,
    path: Path,
    *,
    batch: int,
    rng: np.random.Generator,
    horizon: int = 10_000,
    goal: str = "increase",
    look: Callable[[tuple[float | None, float | None]], None] | None = None,
    **parameters: Any,
) -> Run:
    """One bandit from its start to the horizon; ``parameters`` as in the configuration, ``every`` is batch s.

    ``look`` is shown the sequential interval of the second arm against the first after each plan.
    """
    names = [f"arm-{k}" for k in range(len(path(0.0)))]
    metric = MetricSpec("won", "binary", goal)
    found = find_policy(kind)
    chosen = found.Parameters(every=timedelta(seconds=batch), **parameters)
    policy = found(Allocation("salt", dict.fromkeys(names, 1.0), names[0], (metric,)), chosen)

    now, started, number = START, START, 1
    plan = policy.plan(None, now, None, {})
    closed: list[ObservedEpoch] = []
    wins, trials = np.zeros(len(names), np.int64), np.zeros(len(names), np.int64)
    all_wins, all_trials = [wins], [trials]
    regret = 0.0
    for asked in range(0, horizon, batch):
        rates = path(asked / horizon)
        shares = np.array([plan.weights[name] for name in names])
        drawn = rng.multinomial(batch, shares / shares.sum())
        best = rates.max() if goal == "increase" else rates.min()
        regret += float(abs(drawn @ (best - rates)))
        wins, trials = wins + rng.binomial(drawn, rates), trials + drawn
        all_wins[-1], all_trials[-1] = wins, trials
        now += batch
        if now - plan.progress["moved"] < 0.9 * least_gap(chosen, now - START) and asked + batch < horizon:
            continue
        open_epoch = epoch(number, started, None, plan.weights, names, wins, trials)
        following = policy.plan(Observed("e", names[0], (*closed, open_epoch)), now, None, plan.progress)
        if following.weights != plan.weights:
            closed.append(epoch(number, started, now, plan.weights, names, wins, trials))
            wins, trials = np.zeros_like(wins), np.zeros_like(trials)
            all_wins.append(wins)
            all_trials.append(trials)
            started, number = now, number + 1
        plan = following
        if look is not None:
            watched = plan.findings["batched_ols"][names[1]]["sequential"]
            look((watched["low"], watched["high"]))
    return Run(regret, plan, np.array(all_wins), np.array(all_trials))


def epoch(
    number: int,
    started: float,
    ended: float | None,
    weights: Mapping[str, float],
    names: Sequence[str],
    wins: Sequence[int] | Counts,
    trials: Sequence[int] | Counts,
) -> ObservedEpoch:
    """One epoch of independent outcomes of 0 or 1, a unit each."""
    return ObservedEpoch(
        number,
        started,
        ended,
        dict(weights),
        {name: variant(int(won), int(n)) for name, won, n in zip(names, wins, trials, strict=True) if n > 0},
    )


def variant(wins: int, trials: int) -> ObservedVariant:
    """One variant with so many wins, and no errors."""
    return ObservedVariant(
        units=float(trials),
        requests=trials,
        immature_requests=0,
        errors=ObservedMetric(Mean.of_rate(0, trials), trials, 0),
        slow={},
        metrics={"won": ObservedMetric(Mean.of_rate(wins, trials), trials, wins)},
    )


def per_request(rates: Sequence[float], runs: int, horizon: int, rng: np.random.Generator) -> Floats:
    """The pseudo-regret (runs,) of Thompson sampling that learns after each request, all runs at once.

    A draw from the posteriors and the largest taken is, in law, a draw by the weights P(best) that the plan
    would publish for this request.
    """
    means = np.asarray(rates, np.float64)
    a, b = np.ones((runs, len(means))), np.ones((runs, len(means)))
    lost = np.zeros(runs)
    each = np.arange(runs)
    for _ in range(horizon):
        arm = rng.beta(a, b).argmax(axis=1)
        won = rng.random(runs) < means[arm]
        a[each, arm] += won
        b[each, arm] += ~won
        lost += means.max() - means[arm]
    return lost
