"""How far apart are two rates, by score tests: pooled z, Mee, Miettinen and Nurminen?

The score test compares p_b - p_a with any difference delta under the rates that are likeliest given delta.
At delta = 0 those are the pooled rate, so that Mee's interval and the pooled z are one test.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Final

from scipy.optimize import brentq

from policies.statistics.arguments import share
from policies.statistics.difference.proportions import INDEPENDENT, empty_variant
from policies.statistics.kernel import critical, two_sided
from policies.statistics.means import Mean
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.tails import log_two_sided

_EDGE: Final = 1e-14  # how near to -1 and 1 a bound is looked for


def two_proportion(
    x_a: float, n_a: float, x_b: float, n_b: float, alpha: float = 0.05
) -> Estimate | NotEstimable:
    """The two-proportion z test with the pooled variance, and the interval that inverts it (Mee's).

    ``z = (p_b - p_a) / sqrt(p q (1/n_a + 1/n_b))`` with p the pooled rate; z squared is the uncorrected
    chi-square. Args: successes and trials of control a and treatment b. Returns p_b - p_a as a share.
    ``NotEstimable`` for an empty variant or when the pooled rate is 0 or 1. Raises ValueError unless
    0 <= x <= n and alpha is in (0, 1). Source: Pearson (1900); Mee (1984).

    >>> round(two_proportion(1000, 10_000, 1122, 10_200).p_value, 6)
    0.020474
    """
    return _score("pooled z", x_a, n_a, x_b, n_b, alpha, unbiased=False)


def miettinen_nurminen(
    x_a: float, n_a: float, x_b: float, n_b: float, alpha: float = 0.05
) -> Estimate | NotEstimable:
    """Miettinen and Nurminen's score interval for p_b - p_a, with its own p-value.

    As ``two_proportion``, with the variance multiplied by N / (N - 1), N = n_a + n_b. Arguments, returns and
    errors as there. Source: Miettinen & Nurminen (1985).

    >>> result = miettinen_nurminen(48, 80, 56, 70)
    >>> round(result.low, 4), round(result.high, 4)
    (0.0528, 0.3382)
    """
    return _score("Miettinen-Nurminen", x_a, n_a, x_b, n_b, alpha, unbiased=True)


def restricted_rates(x_a: float, n_a: float, x_b: float, n_b: float, delta: float) -> tuple[float, float]:
    """The likeliest (p_a, p_b) given that p_b = p_a + delta, both in 0..1; successes and trials as above.

    The root of the likelihood's cubic, which lies between what either variant alone would have. Bracketed
    there rather than by its closed form (appendix I), whose cosines leave nothing of a rate of 1e-8. Raises
    nothing for -1 <= delta <= 1. Source: Miettinen & Nurminen (1985), eq. 8.

    >>> [round(rate, 9) for rate in restricted_rates(10, 100, 30, 100, 0.0)]
    [0.2, 0.2]
    """
    if delta < 0.0:
        p_b, p_a = restricted_rates(x_b, n_b, x_a, n_a, -delta)
        return p_a, p_b

    def slope(p: float) -> float:
        """The log-likelihood's, times whatever factors it is divided by: of the same sign, and finite."""
        q = p + delta
        u, v = p if x_a > 0 else 1.0, 1.0 - p if x_a < n_a else 1.0
        s, t = q if x_b > 0 else 1.0, 1.0 - q if x_b < n_b else 1.0
        return (x_a * v - (n_a - x_a) * u) * s * t + (x_b * t - (n_b - x_b) * s) * u * v

    low, high = sorted(min(max(rate, 0.0), 1.0 - delta) for rate in (x_a / n_a, x_b / n_b - delta))
    if slope(low) <= 0.0:
        p = low
    elif slope(high) >= 0.0:
        p = high
    else:
        p = float(brentq(slope, low, high, xtol=1e-300, rtol=1e-15))
    return p, min(p + delta, 1.0)


def _score(
    method: str, x_a: float, n_a: float, x_b: float, n_b: float, alpha: float, *, unbiased: bool
) -> Estimate | NotEstimable:
    share("alpha", alpha)
    a, b = Mean.of_rate(x_a, n_a), Mean.of_rate(x_b, n_b)
    empty = empty_variant(method, a, b)
    if empty is not None:
        return empty
    pooled = (x_a + x_b) / (n_a + n_b)
    if pooled in (0.0, 1.0):
        return NotEstimable(method, f"zero variance: both rates are {pooled:g}")
    factor = (n_a + n_b) / (n_a + n_b - 1.0) if unbiased else 1.0
    d, z = b.value - a.value, critical(alpha)
    at_zero = sqrt(factor * pooled * (1.0 - pooled) * (1.0 / n_a + 1.0 / n_b))

    def gap(delta: float, side: float) -> float:
        """(d - delta)**2 less its critical value, signed: 0 at the interval's end on that side of d."""
        p_a, p_b = restricted_rates(x_a, n_a, x_b, n_b, delta)
        variance = factor * (p_a * (1.0 - p_a) / n_a + p_b * (1.0 - p_b) / n_b)
        return side * (delta - d) - z * sqrt(max(variance, 0.0))

    def end(side: float) -> float:
        edge = side * (1.0 - _EDGE)
        if side * d >= 1.0 - _EDGE or gap(edge, side) <= 0.0:
            return side
        # At d = +-1 the gap is 0 although d is not an end: the variance vanishes there. Start beside it.
        start = d if abs(d) < 1.0 - _EDGE else d + side * 1e-10
        return float(brentq(gap, start, edge, args=(side,), xtol=1e-24, rtol=1e-13))

    return Estimate(
        method=method,
        estimate=d,
        standard_error=at_zero,
        low=end(-1.0),
        high=end(1.0),
        level=1.0 - alpha,
        p_value=two_sided(d / at_zero),
        assumptions=INDEPENDENT,
        details=(("z", d / at_zero), ("log_p_value", log_two_sided(d / at_zero)), ("pooled", pooled)),
    )


METHODS: Final[dict[str, Callable[..., object]]] = {
    "two_proportion": two_proportion,
    "miettinen_nurminen": miettinen_nurminen,
}
