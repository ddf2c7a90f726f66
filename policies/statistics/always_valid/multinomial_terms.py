"""What is a Dirichlet-multinomial Bayes factor, and how far is a Beta's tail, when no number may cancel?

The Bayes factor ``ln B(k w + c) - ln B(k w) - sum c ln w`` is the small difference of terms that grow as
n ln n: at 10^12 events they leave no digit of it. With Z = k + N and ``u_i = (c_i - N w_i) / (Z w_i)``
Stirling's series (Abramowitz & Stegun 1964, 6.1.41) cancels all that is large by itself, exactly:

    ln BF = Z sum_i w_i ((1 + u_i) ln(1 + u_i) - u_i)  -  sum_i ln(1 + u_i) / 2  -  (K - 1) / 2 ln(Z / k)
            + sum_i (d(k w_i + c_i) - d(k w_i)) - d(Z) + d(k)

with ``d(z) = ln Gamma(z) - ((z - 1/2) ln z - z + ln(2 pi) / 2)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, log, log1p

from scipy.special import betaincc, betaln

from policies.statistics.logarithms import beta_fraction, beyond_stirling, entropy_excess


def log_dirichlet_multinomial(counts: Sequence[float], shares: Sequence[float], k: float) -> float:
    """ln of the Bayes factor of Dirichlet(k w) against the shares w, (K,) each; the shares sum to 1.

    Arguments are those of ``log_bayes_factor``, which has checked them: shares above 0, counts of at least 0.
    Raises nothing. Source: Lindon & Malek (2022); Abramowitz & Stegun (1964), 6.1.41.

    >>> round(log_dirichlet_multinomial([30, 52], [0.5, 0.5], 100), 8)
    1.03976989
    >>> round(log_dirichlet_multinomial([5e11 + 1e6, 5e11 - 1e6], [0.5, 0.5], 1e4), 6)
    -7.210365
    """
    total = fsum(counts)
    size = k + total
    terms = [-0.5 * (len(counts) - 1) * log(size / k), beyond_stirling(k) - beyond_stirling(size)]
    for count, share in zip(counts, shares, strict=True):
        pull = (count - total * share) / (size * share)
        terms.append(size * share * entropy_excess(pull) - 0.5 * log((k * share + count) / (size * share)))
        terms.append(beyond_stirling(k * share + count) - beyond_stirling(k * share))
    return fsum(terms)


def log_beta_tail(a: float, b: float, x: float) -> float:
    """``ln P(Beta(a, b) > x)`` for a, b > 0 and 0 < x < 1, also where the tail itself underflows.

    Raises nothing. Source: Abramowitz & Stegun (1964), 26.5.8, the continued fraction, by Lentz's algorithm.

    >>> round(log_beta_tail(150, 10_050, 0.5), 6)
    -6295.212305
    """
    tail = float(betaincc(a, b, x))
    if tail > 1e-290:
        return log(tail)
    # So far out the fraction converges in a few steps: x lies many deviations above the mean.
    y = 1.0 - x
    return b * log1p(-x) + a * log(x) - log(b) - float(betaln(a, b)) + log(beta_fraction(b, a, y))
