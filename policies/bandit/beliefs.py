"""What is believed of each arm's reward, after epochs of different weights and perhaps of different levels?

With a drifting baseline the arms are compared within epochs only: reward = arm + epoch, fitted by weighted
least squares, each arm's share of the uncertainty being its quasi-variance (Firth & de Menezes 2004). The
weight of an epoch's mean is its size over its arm's variance, so it follows the traffic and not the luck. An
arm's mean and quasi-variance are then read as those of so many independent outcomes, its *effective* count,
and a conjugate posterior follows; where every epoch had the same shares, or there is but one, that is the
posterior of the pooled counts exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Final, Literal

import numpy as np
from scipy.special import betaincinv, ndtri

from policies.bandit.cells import Cells, Floats, binary_spread, mean_spread
from policies.bandit.chances import Chances, of_betas, of_normals
from policies.bandit.parameters import Baseline
from policies.metric import BetaPrior, MetricSpec, NormalPrior
from policies.statistics.bayes.normal import shrunk
from policies.statistics.result import NotEstimable
from policies.statistics.strata.additive import Information

Family = Literal["bernoulli", "gaussian"]

_METHOD: Final = "posterior of each arm"
_LEAST: Final = 1e-9  # of the squared scale of the rewards: no variance is smaller
_FORGOTTEN: Final = 1e-6  # of what it once counted: so old an epoch is left out


@dataclass(frozen=True, slots=True)
class Beliefs:
    """Of K arms, every array (K,); oriented so that *more is better*.

    ``estimate`` with ``variance`` is what was seen (variance infinite where nothing was), ``effective`` the
    number of independent outcomes worth as much. ``mean`` and ``deviation`` are the posterior's,
    ``parameters`` its own: a and b of a Beta, or mean and deviation of a Normal.
    """

    family: Family
    sign: int
    estimate: Floats
    variance: Floats
    effective: Floats
    spread: Floats
    mean: Floats
    deviation: Floats
    parameters: tuple[Floats, Floats]
    chances: Chances

    @property
    def common_deviation(self) -> float:
        """The standard deviation of one outcome, of all arms together: the unit of Gaussian arms."""
        return sqrt(float(np.mean(self.spread)))

    def reported_means(self) -> list[float]:
        """The posterior means in the metric's own unit and direction."""
        return _as_reported(self, self.mean)

    def intervals(self, level: float) -> list[tuple[float, float]]:
        """Equal-tailed credible intervals in the metric's own unit and direction."""
        tail = (1.0 - level) / 2.0
        first, second = self.parameters
        if self.family == "bernoulli":
            ends = betaincinv(first, second, tail), 1.0 - betaincinv(second, first, tail)
        else:
            ends = first + ndtri(tail) * second, first - ndtri(tail) * second
        low, high = (_as_reported(self, np.asarray(end)) for end in ends)
        return [(min(pair), max(pair)) for pair in zip(low, high, strict=True)]


def beliefs(
    cells: Cells, metric: MetricSpec, baseline: Baseline, age_weights: Floats | None = None
) -> Beliefs | NotEstimable:
    """The posteriors of all arms in ``cells``, from the metric's prior (Beta(1, 1), or flat).

    ``age_weights`` (E,) says how much an epoch still counts, 1 in full. ``NotEstimable`` where an arm of a
    mean metric has no data to be compared by, and the prior is flat.
    """
    sign = metric.sign
    counted = cells.count if age_weights is None else cells.count * age_weights[:, None]
    aged = Cells(counted, cells.mean, cells.spread, cells.units, cells.closed)
    if metric.kind == "binary":
        prior = metric.prior if isinstance(metric.prior, BetaPrior) else BetaPrior()
        ahead = (prior.alpha, prior.beta) if sign == 1 else (prior.beta, prior.alpha)
        seen = aged.but(mean=np.clip(cells.mean if sign == 1 else 1.0 - cells.mean, 0.0, 1.0))
        return _of_rates(seen, sign, ahead, baseline)
    stated = metric.prior if isinstance(metric.prior, NormalPrior) else None
    centre = (0.0, inf) if stated is None else (sign * stated.mean, stated.deviation)
    return _of_means(aged.but(mean=sign * cells.mean), sign, centre, baseline)


def _of_rates(cells: Cells, sign: int, prior: tuple[float, float], baseline: Baseline) -> Beliefs:
    single, effect = binary_spread(cells, prior)
    estimate, variance = _combined(cells, single * effect, baseline)
    effective = single / variance
    wins = effective * np.clip(estimate, 0.0, 1.0)
    a, b = prior[0] + wins, prior[1] + effective - wins
    mean = a / (a + b)
    deviation = np.sqrt(mean * (1.0 - mean) / (a + b + 1.0))
    return Beliefs(
        "bernoulli", sign, estimate, variance, effective, single, mean, deviation, (a, b), of_betas(a, b)
    )


def _of_means(
    cells: Cells, sign: int, prior: tuple[float, float], baseline: Baseline
) -> Beliefs | NotEstimable:
    scale = float(np.abs(cells.mean).max(initial=0.0)) or 1.0
    single = np.maximum(mean_spread(cells), _LEAST * scale * scale)
    estimate, variance = _combined(cells, single, baseline)
    if prior[1] == inf and not np.isfinite(variance).all():
        return NotEstimable(_METHOD, "an arm has no outcomes beside another's yet")
    if not np.isfinite(cells.spread).any():
        return NotEstimable(_METHOD, "no arm has outcomes of two units in one epoch yet")
    mean, deviation = shrunk(estimate, np.sqrt(variance), prior)
    return Beliefs(
        "gaussian",
        sign,
        estimate,
        variance,
        single / variance,
        single,
        mean,
        deviation,
        (mean, deviation),
        of_normals(mean, deviation),
    )


def _combined(cells: Cells, single: Floats, baseline: Baseline) -> tuple[Floats, Floats]:
    """Each arm's mean and variance (K,) over the epochs; 0 and infinite where it cannot be compared."""
    precision = cells.count / single
    if baseline == "stable":
        total = precision.sum(axis=0)
        some = total > 0.0
        safe = np.where(some, total, 1.0)
        mean = (precision * cells.mean).sum(axis=0) / safe
        return np.where(some, mean, 0.0), np.where(some, 1.0 / safe, inf)
    fit = information(precision, cells.mean).fit()
    if isinstance(fit, NotEstimable):
        return np.zeros(len(single)), np.full(len(single), inf)
    values, variance = np.array(fit.values), np.array(fit.quasi_variances)
    kept = np.isfinite(variance)
    values = np.where(kept, values, 0.0)
    alone = 1.0 / np.where(kept, precision.sum(axis=0), 1.0)
    if kept.sum() == 2:
        # Of two, only the sum is determined: each has the part that its own outcomes leave uncertain.
        alone = alone * variance[kept].sum() / alone[kept].sum()
        variance = np.where(kept, alone, inf)
    # Quasi-variances are the nearest there are, not exact from four arms on: none says more than was seen.
    variance = np.maximum(variance, alone)
    weight = precision * kept
    # The arms' common level: the mean of what is left of the outcomes without the arms' own values.
    level = float((weight * (cells.mean - values)).sum() / weight.sum())
    return np.where(kept, level + values, 0.0), variance


def information(precision: Floats, mean: Floats) -> Information:
    """What all epochs say of the arms' differences, from precisions and means (E, K), in one step.

    >>> two = information(np.array([[1.0, 1.0]]), np.array([[1.0, 3.0]]))
    >>> two.matrix.tolist(), two.vector.tolist()
    ([[0.5, -0.5], [-0.5, 0.5]], [-1.0, 1.0])
    """
    total = precision.sum(axis=1)
    shared = (precision > 0.0).sum(axis=1) > 1
    shares = precision / np.where(shared, total, 1.0)[:, None] * shared[:, None]
    inside = precision * shared[:, None]
    about = (shares * mean).sum(axis=1)
    matrix = np.diag(inside.sum(axis=0)) - shares.T @ inside
    return Information((matrix + matrix.T) / 2.0, (inside * (mean - about[:, None])).sum(axis=0))


def discounts(ages: Sequence[float], half_life: float) -> Floats:
    """How much epochs that ended so many seconds ago still count, (E,).

    >>> discounts([0.0, 60.0], 60.0).tolist()
    [1.0, 0.5]
    """
    left = 0.5 ** (np.asarray(ages, np.float64) / half_life)
    return np.asarray(np.where(left < _FORGOTTEN, 0.0, left))


def _as_reported(found: Beliefs, oriented: Floats) -> list[float]:
    if found.sign == 1:
        return [float(each) for each in oriented]
    return [1.0 - float(each) if found.family == "bernoulli" else -float(each) for each in oriented]
