"""How far out in a tail is a statistic, also where its p-value is below the least double?

A normal's p-value leaves the doubles at 38.5 standard errors; its logarithm does not, so that two very sure
results can still be told apart, and a quantile be found for either.
"""

from __future__ import annotations

from math import exp, inf, log, log1p, sqrt
from typing import Final

from scipy.optimize import brentq
from scipy.special import betaln, log_ndtr, ndtri_exp, stdtr, stdtrit

from policies.statistics.logarithms import beta_fraction

# Above it Student's tail is known to all digits; below 1e-100 its inverse is not, for few degrees of freedom.
_LEAST_TAIL: Final = 1e-290
_LEAST_INVERTED: Final = -230.0
_LARGEST: Final = 1e300


def log_upper_tail(statistic: float, df: float = inf) -> float:
    """``ln P(Z > statistic)``: the natural logarithm of the one-sided p-value, at most 0.

    Student's t with ``df`` > 0 degrees of freedom, the normal for ``inf``; NaN for NaN. Raises nothing.
    Source: Abramowitz & Stegun (1964), 26.7.1 with 26.5.8, the continued fraction.

    >>> round(log_upper_tail(1000.0), 6), round(log_upper_tail(1e100, df=10), 6)
    (-500007.826695, -2293.167357)
    """
    if df == inf:
        return float(log_ndtr(-statistic))
    if statistic < 0.0:
        return log1p(-float(stdtr(df, statistic)))
    tail = float(stdtr(df, -statistic))
    if not tail <= _LEAST_TAIL or statistic == inf:
        return log(tail) if tail != 0.0 else -inf
    # P(Beta(df / 2, 1 / 2) < y) / 2 at y = df / (df + t**2), by the logarithm of y, whose square may overflow
    ratio = statistic / sqrt(df)
    log_y = -log1p(ratio * ratio) if ratio < 1e150 else -2.0 * log(ratio)
    a, y = df / 2.0, exp(log_y)
    whole = a * log_y + 0.5 * log1p(-y) - log(a) - float(betaln(a, 0.5))
    return whole + log(beta_fraction(a, 0.5, y)) - log(2.0)


def log_two_sided(statistic: float, df: float = inf) -> float:
    """``ln P(|Z| > |statistic|)``: the natural logarithm of the two-sided p-value, at most 0.

    Arguments and source as for ``log_upper_tail``.

    >>> round(log_two_sided(1.959964), 6), round(log_two_sided(50.0), 6)
    (-2.995732, -1254.138214)
    """
    return min(0.0, log(2.0) + log_upper_tail(abs(statistic), df))


def quantile_above(log_tail: float, df: float = inf) -> float:
    """The statistic whose ``log_upper_tail`` this is; infinite where it is beyond the doubles.

    Args: the logarithm of a tail below a half; degrees of freedom > 0, ``inf`` for the normal. Raises
    nothing.

    >>> round(quantile_above(-500007.826695), 3), f"{quantile_above(-2293.167357, df=10):.3g}"
    (1000.0, '1e+100')
    """
    if df == inf:
        return -float(ndtri_exp(log_tail))
    if log_tail >= _LEAST_INVERTED:
        return -float(stdtrit(df, exp(log_tail)))
    if log_upper_tail(_LARGEST, df) > log_tail:
        return inf
    return exp(float(brentq(lambda t: log_upper_tail(exp(t), df) - log_tail, 0.0, log(_LARGEST), xtol=1e-13)))
