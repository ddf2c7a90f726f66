"""What do tests say of two equal variants when a bandit has split the traffic and the baseline drifts?

Thompson sampling re-weights two variants after each batch of 100, from all data so far; the rate of both goes
0.30 -> 0.45 -> 0.20 over the run. Every difference called is false, unless ``effect`` is not 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from policies.statistics.adaptive.batched_ols import batched_ols, sequential_batched_ols
from policies.statistics.always_valid.asymptotic import confidence_sequence
from policies.statistics.evidence import Moments
from policies.statistics.kernel import critical
from policies.statistics.means import Mean
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.strata.stratified import Weighting, stratified

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LookedAtOnce:
    """The share of runs in which each analysis, at the end, called a difference."""

    pooled: float
    batched_ols: float
    stratified_by_traffic: float
    stratified_cmh: float


@dataclass(frozen=True, slots=True)
class LookedAtEveryBatch:
    """The share of runs in which each analysis, made after every batch, ever called a difference."""

    pooled: float
    stratified_by_traffic: float
    stratified_cmh: float
    sequential_batched_ols: float


@dataclass(frozen=True, slots=True)
class World:
    """How the bandit and its world behave; ``floor`` is the least share of a variant in a batch."""

    drift: bool = True
    effect: float = 0.0
    batches: int = 25
    batch: int = 100
    floor: float = 0.05


DRIFTING = World()


def looked_at_once(runs: int, seed: int, world: World = DRIFTING) -> LookedAtOnce:
    """``runs`` bandits, each analysed at its end at the 5 % level."""
    called = []
    for wins, trials in zip(*simulated(runs, seed, world), strict=True):
        batches = _moments(wins, trials)
        end = critical(0.05)
        estimates = [_pooled(wins.sum(axis=0), trials.sum(axis=0))]
        estimates += [_stratified(batches, "traffic"), _stratified(batches, "cmh")]
        pooled, traffic, cmh = (abs(value) > end * error for value, error in estimates)
        called.append((pooled, _significant(batched_ols(batches)), traffic, cmh))
    return LookedAtOnce(*np.mean(called, axis=0).tolist())


def looked_at_every_batch(runs: int, seed: int, world: World = DRIFTING) -> LookedAtEveryBatch:
    """``runs`` bandits, each analysed after every batch by tests that allow it, at the 5 % level."""
    called = []
    n_star = world.batches * world.batch
    for wins, trials in zip(*simulated(runs, seed, world), strict=True):
        batches = _moments(wins, trials)
        ever = np.zeros(4, dtype=bool)
        for k in range(1, world.batches + 1):
            seen = batches[:k]
            ever |= [
                _sequence(_pooled(wins[:k].sum(axis=0), trials[:k].sum(axis=0)), k * world.batch, n_star),
                _sequence(_stratified(seen, "traffic"), k * world.batch, n_star),
                _sequence(_stratified(seen, "cmh"), k * world.batch, n_star),
                _significant(sequential_batched_ols(seen, planned_batches=world.batches)),
            ]
        called.append(ever)
    return LookedAtEveryBatch(*np.mean(called, axis=0).tolist())


def simulated(runs: int, seed: int, world: World) -> tuple[Counts, Counts]:
    """Successes and trials, (runs, batches, 2). Weights are the normal P(best), with an additive floor."""
    rng = np.random.default_rng(seed)
    path = np.interp(np.linspace(0, 1, world.batches), [0, 0.5, 1], [0.30, 0.45, 0.20])
    rates = path if world.drift else np.full(world.batches, 0.3)
    wins, trials = (np.zeros((runs, world.batches, 2), np.int64) for _ in range(2))
    for e, rate in enumerate(rates):
        a, b = wins.sum(axis=1) + 1.0, (trials - wins).sum(axis=1) + 1.0
        mean = a / (a + b)
        spread = np.sqrt((mean * (1.0 - mean) / (a + b + 1.0)).sum(axis=1))
        weight = world.floor + (1.0 - 2.0 * world.floor) * ndtr((mean[:, 1] - mean[:, 0]) / spread)
        trials[:, e, 1] = rng.binomial(world.batch, weight)
        trials[:, e, 0] = world.batch - trials[:, e, 1]
        wins[:, e] = rng.binomial(trials[:, e], [rate, rate + world.effect])
    return wins, trials


def _moments(wins: Counts, trials: Counts) -> list[tuple[Moments, Moments]]:
    rows = np.concatenate((wins, trials), axis=1).tolist()
    return [(Moments.from_successes(x, n), Moments.from_successes(y, m)) for x, y, n, m in rows]


def _pooled(wins: Counts, trials: Counts) -> tuple[float, float]:
    """Difference and standard error as if all traffic were of one epoch: what not to do."""
    rates = wins / np.maximum(trials, 1)
    error = sqrt(float((rates * (1.0 - rates) / np.maximum(trials, 1)).sum()))
    return float(rates[1] - rates[0]), error if trials.min() > 0 else inf


def _stratified(batches: list[tuple[Moments, Moments]], weighting: Weighting) -> tuple[float, float]:
    found = stratified([(Mean.of(a), Mean.of(b)) for a, b in batches], weighting=weighting)
    if isinstance(found, NotEstimable) or found.standard_error is None:
        return 0.0, inf
    return found.estimate, found.standard_error


def _sequence(estimate: tuple[float, float], n: float, n_star: float) -> bool:
    value, error = estimate
    return error not in (0.0, inf) and _significant(confidence_sequence(value, error, n, n_star=n_star))


def _significant(found: Estimate | NotEstimable) -> bool:
    return isinstance(found, Estimate) and found.p_value is not None and found.p_value <= 0.05
