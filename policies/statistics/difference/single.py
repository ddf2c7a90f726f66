"""In which interval does one rate lie: Wilson's score, or Clopper and Pearson's exact?"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Final

from scipy.special import betainccinv, betaincinv

from policies.statistics.arguments import nonnegative, share
from policies.statistics.kernel import critical
from policies.statistics.result import Estimate, NotEstimable


def wilson_bounds(x: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's score bounds of x successes in n > 0 trials at the normal quantile z, within [0, 1].

    Raises ZeroDivisionError for n = 0, which ``wilson`` answers. Source: Wilson (1927).

    >>> low, high = wilson_bounds(7, 120, 1.959963984540054)
    >>> round(low, 6), round(high, 6)
    (0.028541, 0.115526)
    """
    rate, square = x / n, z * z
    centre = rate + square / (2.0 * n)
    half = z * sqrt(rate * (1.0 - rate) / n + square / (4.0 * n * n))
    # At the ends the two terms cancel exactly; rounding must not leave a sliver beyond 0 or 1.
    low = 0.0 if x == 0 else (centre - half) / (1.0 + square / n)
    high = 1.0 if x == n else (centre + half) / (1.0 + square / n)
    return low, high


def wilson(x: float, n: float, alpha: float = 0.05) -> Estimate | NotEstimable:
    """Wilson's score interval for one rate: x successes in n trials.

    Never outside [0, 1], and of positive width at x = 0. ``NotEstimable`` for n = 0. Raises ValueError unless
    0 <= x <= n and alpha is in (0, 1). Source: Wilson (1927).

    >>> round(wilson(0, 10).high, 6)
    0.277533
    """
    return _rate("Wilson", x, n, alpha, lambda: wilson_bounds(x, n, critical(alpha)))


def clopper_pearson(x: float, n: float, alpha: float = 0.05) -> Estimate | NotEstimable:
    """The exact (conservative) interval for one rate, from the quantiles of two beta distributions.

    Covers with at least 1 - alpha at any rate and n. Returns and errors as for ``wilson``.
    Source: Clopper & Pearson (1934).

    >>> round(clopper_pearson(0, 10).high, 6)
    0.308497
    """

    def bounds() -> tuple[float, float]:
        low = 0.0 if x == 0 else float(betaincinv(x, n - x + 1, alpha / 2.0))
        high = 1.0 if x == n else float(betainccinv(x + 1, n - x, alpha / 2.0))
        return low, high

    return _rate("Clopper-Pearson", x, n, alpha, bounds)


def _rate(
    method: str, x: float, n: float, alpha: float, bounds: Callable[[], tuple[float, float]]
) -> Estimate | NotEstimable:
    share("alpha", alpha)
    nonnegative("n", n)
    if not 0 <= x <= n:
        raise ValueError(f"x must be in 0..{n}, got {x!r}")
    if n == 0:
        return NotEstimable(method, "no trials")
    low, high = bounds()
    return Estimate(method, x / n, None, low, high, 1.0 - alpha, assumptions=("trials are independent",))


METHODS: Final[dict[str, Callable[..., object]]] = {"wilson": wilson, "clopper_pearson": clopper_pearson}
