"""How do an estimate and its standard error become an interval and a p-value that agree?

Every method ends here, so that an interval leaves out zero exactly when its p-value is below 1 - level.
Quantiles and tails are taken by survival functions: a z of 30 still has its p-value. Beyond 38.5 that is
below the least double, and the detail ``log_p_value`` goes on.
"""

from __future__ import annotations

from math import copysign, gcd, inf, isfinite, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr

from policies.statistics.arguments import one_of, share
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.tails import log_two_sided, log_upper_tail, quantile_above

# Numbers in a block, and multiplications for one: fewer than any BLAS shares out among threads.
_BLOCK: Final = 1 << 13
_PRODUCTS: Final = 1 << 17

Detail = tuple[str, float | tuple[float, ...] | str]


def critical(alpha: float, df: float = inf, sides: int = 2) -> float:
    """The quantile that a two-sided (or one-sided) test at alpha compares its statistic with.

    Student's t with ``df`` degrees of freedom, the normal for ``inf``.

    >>> round(critical(0.05), 6), round(critical(0.05, df=10), 6), round(critical(0.05, sides=1), 6)
    (1.959964, 2.228139, 1.644854)
    """
    tail = share("alpha", alpha) / one_of("sides", sides, (1, 2))
    return -float(ndtri(tail)) if df == inf else quantile_above(log(tail), df)


def upper_tail(statistic: float, df: float = inf) -> float:
    """P(Z > statistic): one-sided p-value, exact down to the least double; ``tails`` has its logarithm.

    >>> f"{upper_tail(30.0):.3g}"
    '4.91e-198'
    """
    return float(ndtr(-statistic)) if df == inf else float(stdtr(df, -statistic))


def two_sided(statistic: float, df: float = inf) -> float:
    """P(|Z| > |statistic|): two-sided p-value, exact down to the least double; ``tails`` has its logarithm.

    >>> round(two_sided(1.959964), 6)
    0.05
    """
    return min(1.0, 2.0 * upper_tail(abs(statistic), df))


def studentised(quantile: float, df: float) -> float:
    """The Student quantile with the tail of a normal ``quantile``: wider, as the variance is an estimate.

    Infinite where it is beyond the doubles.

    >>> round(studentised(1.959963984540054, 10), 6), f"{studentised(60.0, 10):.3g}"
    (2.228139, '6.31e+78')
    """
    return quantile_above(log_upper_tail(quantile), df) if quantile > 0.0 else quantile


def normalised(statistic: float, df: float) -> float:
    """The normal z with the two-sided tail of a Student ``statistic``: what ``studentised`` undoes.

    >>> round(normalised(-2.2281388519649385, 10), 6), round(normalised(1e300, 10), 3)
    (-1.959964, 117.411)
    """
    return copysign(quantile_above(log_upper_tail(abs(statistic), df)), statistic) if statistic else statistic


def oriented(sign: int, value: float) -> float:
    """The value with "better" upwards: negated for a metric whose goal is to decrease.

    The one place where direction is dealt with: what follows knows only that more is better.

    >>> oriented(-1, 0.2)
    -0.2
    """
    return one_of("sign", sign, (1, -1)) * value


def wald(
    method: str,
    estimate: float,
    variance: float,
    alpha: float,
    *,
    df: float = inf,
    assumptions: tuple[str, ...] = (),
    details: tuple[Detail, ...] = (),
) -> Estimate | NotEstimable:
    """Estimate +- critical value x standard error, and the p-value of the same statistic against zero.

    ``variance`` is the estimate's, in the metric's unit squared. Not estimable when either number is not
    finite or the variance is zero: certainty from a sample is a sign of too little data, not of a result.
    Details: ``z`` or ``df``, ``statistic``, and ``log_p_value``, the natural logarithm of the p-value, which
    goes on where that itself is below the least double. Raises ValueError unless alpha is in (0, 1).

    >>> result = wald("example", 3.0, 1.0, 0.05)
    >>> round(result.p_value, 7), round(result.detail("log_p_value"), 6)
    (0.0026998, -5.914579)
    >>> far = wald("example", 50.0, 1.0, 0.05)
    >>> far.p_value, round(far.detail("log_p_value"), 3)
    (0.0, -1254.138)
    """
    share("alpha", alpha)
    if not (isfinite(estimate) and isfinite(variance)):
        return NotEstimable(method, "the estimate or its variance is not finite")
    if variance <= 0.0:
        return NotEstimable(method, "zero variance")
    error = sqrt(variance)
    width = critical(alpha, df) * error
    statistic = estimate / error
    tested = ("df", df) if isfinite(df) else ("z", statistic)
    return Estimate(
        method=method,
        estimate=estimate,
        standard_error=error,
        low=estimate - width,
        high=estimate + width,
        level=1.0 - alpha,
        p_value=two_sided(statistic, df),
        assumptions=assumptions,
        details=(tested, ("statistic", statistic), ("log_p_value", log_two_sided(statistic, df)), *details),
    )


def welch_df(variance_a: float, df_a: float, variance_b: float, df_b: float) -> float:
    """Welch-Satterthwaite degrees of freedom of the sum of two variances of means.

    Each variance is s**2 / n; its own degrees of freedom are n - 1. Source: Welch (1947).

    >>> round(welch_df(1.0, 10, 1.0, 10), 6)
    20.0
    """
    total = variance_a + variance_b
    if total <= 0.0:
        return inf
    share_a = variance_a / total  # as shares, so that tiny variances do not underflow when squared
    return 1.0 / (share_a**2 / df_a + (1.0 - share_a) ** 2 / df_b)


def over_rows(weights: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """``weights @ rows`` of (E,) or (..., C, E) by (..., E, N), in blocks of columns, each for one processor.

    A product of this size takes some microseconds, and waking the BLAS' threads for it takes as long on a
    quiet machine and a hundred times as long on a busy one.

    >>> over_rows(np.array([1.0, 2.0]), np.arange(8.0).reshape(2, 4)).tolist()
    [8.0, 11.0, 14.0, 17.0]
    """
    height, length = rows.shape[-2:]
    many = np.atleast_2d(weights)
    room = min(_BLOCK, _PRODUCTS // max(many.shape[-2], 1)) // max(height, 1)
    width = gcd(length, 1 << max(room, 1).bit_length() - 1)
    if not length:
        return weights @ rows
    blocks = rows.reshape(*rows.shape[:-1], length // width, width).swapaxes(-3, -2)
    product = (many[..., None, :, :] @ blocks).swapaxes(-3, -2)
    found: NDArray[np.float64] = product.reshape(*product.shape[:-2], length)
    return found[0] if weights.ndim == 1 else found
