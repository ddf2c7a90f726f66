"""What is left of a logarithm once the large terms, which cancel, are taken out of it exactly?"""

from __future__ import annotations

from math import fsum, lgamma, log, log1p, pi
from typing import Final

_SERIES: Final = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
_HALF_LOG_2PI: Final = 0.5 * log(2.0 * pi)


def entropy_excess(u: float) -> float:
    """``(1 + u) ln(1 + u) - u`` for u >= -1: the term of a relative entropy, >= 0 and of no unit.

    ``sum p ln(p / q)`` is ``sum q f(p / q - 1)`` for shares p and q; in this form nothing cancels where
    they are close. Below -1 the value at -1. Raises nothing. Source: Kullback & Leibler (1951).

    >>> entropy_excess(0.0), entropy_excess(-1.0), round(entropy_excess(1e-9) * 2e18, 9)
    (0.0, 1.0, 1.0)
    """
    if u <= -1.0:
        return 1.0
    if abs(u) > 0.03:
        return (1.0 + u) * log1p(u) - u
    # u^2/2 - u^3/6 + u^4/12 - ...: the j-th term is (-u)^j / (j (j - 1)).
    return fsum((-u) ** j / (j * (j - 1)) for j in range(2, 14))


def beyond_stirling(z: float) -> float:
    """``ln Gamma(z)`` less Stirling's approximation ``(z - 1/2) ln z - z + ln(2 pi) / 2``, for z > 0.

    Raises ValueError for z = 0. Source: Abramowitz & Stegun (1964), 6.1.41.

    >>> round(beyond_stirling(1.0), 9), round(beyond_stirling(1e6) * 12e6, 9)
    (0.081061467, 1.0)
    """
    if z < 12.0:
        return lgamma(z) - ((z - 0.5) * log(z) - z + _HALF_LOG_2PI)
    inverse, value = 1.0 / (z * z), 0.0
    for coefficient in reversed(_SERIES):
        value = value * inverse + coefficient
    return value / z


def beta_fraction(p: float, q: float, y: float) -> float:
    """The continued fraction by which ``y**p (1-y)**q / (p B(p, q))`` is multiplied to be ``I_y(p, q)``.

    For the incomplete beta function's lower tail, p, q > 0 and 0 <= y < p / (p + q), where it converges in a
    few steps. Raises nothing. Source: Abramowitz & Stegun (1964), 26.5.8, by Lentz's algorithm (1976).

    >>> round(beta_fraction(1.0, 2.0, 0.1) * 0.1 * 0.9**2 * 2.0, 12)  # I_0.1(1, 2) = 1 - 0.9**2
    0.19
    """
    c, d = 1.0, 1.0 / (1.0 - (p + q) * y / (p + 1.0))
    fraction = d
    for m in range(1, 100_000):
        before = fraction
        for numerator in (
            m * (q - m) * y / ((p + 2 * m - 1.0) * (p + 2 * m)),
            -(p + m) * (p + q + m) * y / ((p + 2 * m) * (p + 2 * m + 1.0)),
        ):
            d = 1.0 / (1.0 + numerator * d)
            c = 1.0 + numerator / c
            fraction *= c * d
        if abs(fraction - before) <= 1e-15 * abs(fraction):
            break
    return fraction
