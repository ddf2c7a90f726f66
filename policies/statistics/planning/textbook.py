"""How many units does a textbook design need? (t test, two proportions; equal variants)

Student's t by its noncentral distribution (Cohen 1988, "Statistical Power Analysis", ch. 2); two proportions
with the unpooled variance, with the pooled variance under the null (Fleiss, Levin & Paik 2003, eq. 4.14
without the continuity correction), or on the arcsine scale (Cohen's h = 2 asin sqrt p_1 - 2 asin sqrt p_0).
"""

from __future__ import annotations

from collections.abc import Callable
from math import asin, sqrt
from typing import Final, Literal

from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import nct

from policies.statistics.arguments import finite, one_of, positive, share
from policies.statistics.kernel import critical
from policies.statistics.result import NotEstimable

Variance = Literal["unpooled", "pooled_null", "arcsine"]


def t_test_power(d: float, n_per_variant: float, alpha: float = 0.05, sides: int = 2) -> float:
    """The power of a two-sample t test for an effect of d standard deviations, n units a variant (> 1).

    Raises ValueError for arguments out of range.

    >>> round(t_test_power(0.1, 1000), 6)
    0.608367
    """
    df = 2.0 * (positive("n_per_variant - 1", n_per_variant - 1.0))
    shift = abs(finite("d", d)) * sqrt(n_per_variant / 2.0)
    end = critical(alpha, df, sides)
    above = float(nct.sf(end, df, shift))
    # Beyond a shift of 5 the other tail is below 1e-11, and the library's value of it may be NaN.
    return above + (float(nct.cdf(-end, df, shift)) if sides == 2 and shift < 5.0 else 0.0)


def t_test_sample_size(
    d: float, target: float = 0.8, alpha: float = 0.05, sides: int = 2
) -> float | NotEstimable:
    """Units a variant that give the power ``target``. Returns ``NotEstimable`` for d = 0.

    Raises ValueError for arguments out of range, a target not above alpha among them.

    >>> round(t_test_sample_size(0.1), 4)
    1570.733
    """
    _above(alpha, target)
    if finite("d", d) == 0.0:
        return NotEstimable("t test's sample size", "no effect: no number of units shows it")
    guess = 2.0 * ((critical(alpha, sides=sides) + float(ndtri(target))) / d) ** 2
    if t_test_power(d, 2.0, alpha, sides) >= target:
        return 2.0
    high = 4.0 * max(guess, 2.0) + 50.0
    return float(brentq(lambda n: t_test_power(d, n, alpha, sides) - target, 2.0, high, xtol=1e-8))


def proportions_sample_size(
    p_a: float,
    p_b: float,
    target: float = 0.8,
    alpha: float = 0.05,
    sides: int = 2,
    variance: Variance = "unpooled",
) -> float | NotEstimable:
    """Units a variant that tell two proportions apart with the power ``target``.

    Returns ``NotEstimable`` for equal proportions; raises ValueError for arguments out of range.

    >>> [round(proportions_sample_size(0.1, 0.11, variance=v), 1) for v in ("unpooled", "pooled_null")]
    [14748.0, 14750.8]
    """
    one_of("variance", variance, ("unpooled", "pooled_null", "arcsine"))
    share("p_a", p_a)
    share("p_b", p_b)
    if p_a == p_b:
        return NotEstimable("proportions' sample size", "no effect: no number of units shows it")
    end, quantile = critical(alpha, sides=sides), float(ndtri(_above(alpha, target)))
    if variance == "arcsine":
        return 2.0 * ((end + quantile) / (2.0 * asin(sqrt(p_b)) - 2.0 * asin(sqrt(p_a)))) ** 2
    null, alternative = _deviations(p_a, p_b, variance)
    return ((end * null + quantile * alternative) / (p_b - p_a)) ** 2


def proportions_power(
    p_a: float,
    p_b: float,
    n_per_variant: float,
    alpha: float = 0.05,
    sides: int = 2,
    variance: Variance = "unpooled",
) -> float:
    """The power of telling two proportions apart with n units a variant.

    Raises ValueError for arguments out of range.

    >>> round(proportions_power(0.1, 0.11, 15_000, variance="pooled_null"), 6)
    0.806534
    """
    one_of("variance", variance, ("unpooled", "pooled_null", "arcsine"))
    positive("n_per_variant", n_per_variant)
    share("p_a", p_a)
    share("p_b", p_b)
    end = critical(alpha, sides=sides)
    if variance == "arcsine":
        z, scale = abs(2.0 * asin(sqrt(p_b)) - 2.0 * asin(sqrt(p_a))) * sqrt(n_per_variant / 2.0), 1.0
    else:
        null, alternative = _deviations(p_a, p_b, variance)
        z, scale = abs(p_b - p_a) * sqrt(n_per_variant) / alternative, null / alternative
    return float(ndtr(z - end * scale) + (ndtr(-z - end * scale) if sides == 2 else 0.0))


def _above(alpha: float, target: float) -> float:
    """The power asked for, above alpha: so often an effect is called where there is none."""
    if not share("alpha", alpha) < share("target", target):
        raise ValueError(f"target must be in (alpha, 1) with alpha = {alpha:g}, got {target!r}")
    return target


def _deviations(p_a: float, p_b: float, variance: Variance) -> tuple[float, float]:
    """sqrt of n times the difference's variance: under the null as tested, and under the alternative."""
    middle = (p_a + p_b) / 2.0
    alternative = sqrt(p_a * (1.0 - p_a) + p_b * (1.0 - p_b))
    return (sqrt(2.0 * middle * (1.0 - middle)) if variance == "pooled_null" else alternative), alternative


METHODS: Final[dict[str, Callable[..., object]]] = {
    "t_test_power": t_test_power,
    "t_test_sample_size": t_test_sample_size,
    "proportions_sample_size": proportions_sample_size,
    "proportions_power": proportions_power,
}
