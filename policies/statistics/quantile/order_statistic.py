"""Between which observations does a quantile lie? (independent observations)

Distribution-free: the number of observations below the q-quantile is Binomial(n, q), so that it lies between
the order statistics of ranks l = ppf(alpha/2) and u = ppf(1 - alpha/2) + 1 with at least 1 - alpha (Conover
1999, "Practical Nonparametric Statistics", 3.2). It does not hold when a unit sends many requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from policies.statistics.arguments import nonnegative, numbers, share
from policies.statistics.quantile.sketch import Sketch
from policies.statistics.result import Estimate, NotEstimable


@dataclass(frozen=True, slots=True)
class Ranks:
    """1-based ranks of the interval's ends (0 and n + 1: beyond all observations), and its exact coverage."""

    lower: int
    upper: int
    coverage: float


def quantile_ranks(n: int, q: float, alpha: float = 0.05) -> Ranks | NotEstimable:
    """The ranks between which the q-quantile lies. Returns ``NotEstimable`` for n = 0.

    >>> quantile_ranks(1000, 0.95)
    Ranks(lower=936, upper=964, coverage=0.9580952682226541)
    """
    nonnegative("n", n)
    share("q", q)
    share("alpha", alpha)
    if n == 0:
        return NotEstimable("order-statistic interval", "no observations")
    lower, upper = int(binom.ppf(alpha / 2.0, n, q)), int(binom.ppf(1.0 - alpha / 2.0, n, q)) + 1
    return Ranks(lower, upper, float(binom.cdf(upper - 1, n, q) - binom.cdf(lower - 1, n, q)))


def order_statistic_interval(
    data: ArrayLike | Sketch, q: float, alpha: float = 0.05
) -> Estimate | NotEstimable:
    """The q-quantile with its distribution-free interval, in the data's unit.

    Args: values (n,), or their sketch, whose ends are widened by its relative error; q in (0, 1). An end
    beyond all observations is infinite. Returns ``NotEstimable`` for no observations; raises ValueError for
    values that are not finite.

    >>> result = order_statistic_interval(np.arange(1.0, 1001.0), 0.95)
    >>> result.estimate, result.low, result.high
    (950.0, 936.0, 964.0)
    """
    method = "order-statistic interval"
    if isinstance(data, Sketch):
        n, error = data.total, data.relative_error
    else:
        ordered = np.sort(numbers("data", data))
        n, error = ordered.size, 0.0
    ranks = quantile_ranks(n, q, alpha)
    if isinstance(ranks, NotEstimable):
        return ranks

    def at(rank: int) -> float:
        return data.at_rank(rank - 1) if isinstance(data, Sketch) else float(ordered[rank - 1])

    return Estimate(
        method=method,
        estimate=at(max(1, int(np.ceil(q * n)))),
        low=at(ranks.lower) * (1.0 - error) if ranks.lower >= 1 else -inf,
        high=at(ranks.upper) * (1.0 + error) if ranks.upper <= n else inf,
        level=1.0 - alpha,
        assumptions=("independent observations: one of each unit",),
        details=(("n", float(n)), ("coverage", ranks.coverage), ("relative_error", error)),
    )


METHODS: Final[dict[str, Callable[..., object]]] = {
    "quantile_ranks": quantile_ranks,
    "order_statistic_interval": order_statistic_interval,
}
