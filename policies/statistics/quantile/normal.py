"""Do two quantiles differ, when all that was kept of each is an interval? (normal approximation)

From the ends U and L of an interval computed at ``n_star`` of n observations,
``var = (n_star / n) (n - 1) ((U - L) / (2 z))**2`` is the variance per observation (var / n is that of the
quantile), which any test of means takes (Deng, Knoblich & Lu 2018).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from policies.statistics.arguments import finite, positive, share
from policies.statistics.kernel import critical, wald, welch_df
from policies.statistics.result import Estimate, NotEstimable


@dataclass(frozen=True, slots=True)
class QuantileInterval:
    """A quantile and its interval, computed of ``n_star`` among n observations at ``level``."""

    n: float
    quantile: float
    low: float
    high: float
    n_star: float
    level: float = 0.95

    def __post_init__(self) -> None:
        positive("n", self.n)
        positive("n_star", self.n_star)
        share("level", self.level)
        finite("quantile", self.quantile)
        if not self.low <= self.high:
            raise ValueError(f"low must be <= high, got {self.low!r} and {self.high!r}")

    @property
    def variance(self) -> float:
        """The variance per observation, in the quantile's unit squared; raises nothing.

        >>> round(QuantileInterval(11_000, 412.0, 405.5, 419.0, 10_000).variance, 3)
        118596.502
        """
        half = (self.high - self.low) / (2.0 * critical(1.0 - self.level))
        return self.n_star / self.n * (self.n - 1.0) * half * half


def quantile_difference(
    a: QuantileInterval, b: QuantileInterval, alpha: float = 0.05
) -> Estimate | NotEstimable:
    """The difference of two quantiles (b less the control a) by Welch's test, in the quantiles' unit.

    Returns ``NotEstimable`` for fewer than two observations or intervals of no width.

    >>> control = QuantileInterval(11_000, 412.0, 405.5, 419.0, 10_000)
    >>> result = quantile_difference(control, QuantileInterval(10_800, 431.0, 423.5, 438.25, 10_000))
    >>> round(result.low, 5), round(result.p_value, 9)
    (9.4196, 0.00010169)
    """
    method = "normal difference of quantiles"
    if min(a.n, b.n) < 2:
        return NotEstimable(method, "fewer than two observations")
    var_a, var_b = a.variance / a.n, b.variance / b.n
    return wald(
        method,
        b.quantile - a.quantile,
        var_a + var_b,
        alpha,
        df=welch_df(var_a, a.n - 1.0, var_b, b.n - 1.0),
        assumptions=("quantiles are nearly normal", "intervals account for units that send many requests"),
    )


METHODS: Final[dict[str, Callable[..., object]]] = {"quantile_difference": quantile_difference}
