"""Which closed-form curve at the rate of the iterated logarithm does a sub-gamma sum stay below for ever?

The polynomial stitched boundary of Howard et al. (2021, "Time-uniform, nonparametric, nonasymptotic
confidence sequences", Annals of Statistics, Theorem 1 and eq. 10): with v at least v_min,

    l = s ln ln(eta v / v_min) + ln(zeta(s) / (alpha (ln eta)**s))
    bound = sqrt(k1**2 v l + (k2 c l)**2) + k2 c l
    k1 = (eta**(1/4) + eta**(-1/4)) / sqrt 2,    k2 = (sqrt(eta) + 1) / 2
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, sqrt
from typing import Final

from scipy.special import zeta

from policies.statistics.arguments import nonnegative, positive, share


def polynomial_stitching_bound(
    v: float, alpha: float, v_min: float, c: float = 0.0, s: float = 1.4, eta: float = 2.0
) -> float:
    """The boundary at intrinsic time ``v`` in the unit of the sum; crossed at any time with at most alpha.

    Args: v_min, the intrinsic time from which it is tuned (below it the bound is that of v_min); c, the
    sub-gamma scale in the unit of the sum (0: sub-Gaussian); s > 1 and eta > 1 shape it. Raises ValueError
    for arguments out of range.

    >>> round(polynomial_stitching_bound(100, 0.05, 10, 3), 5)
    64.48755
    """
    nonnegative("v", v)
    share("alpha", alpha)
    positive("v_min", v_min)
    nonnegative("c", c)
    positive("s - 1", s - 1.0)
    positive("eta - 1", eta - 1.0)
    time = max(v, v_min)
    # ln(1/alpha) apart, so that a tiny alpha does not overflow the quotient.
    ell = s * log(log(eta * time / v_min)) + log(float(zeta(s, 1.0))) - log(alpha) - s * log(log(eta))
    k1, k2 = (eta**0.25 + eta**-0.25) / sqrt(2.0), (sqrt(eta) + 1.0) / 2.0
    linear = k2 * c * ell
    return sqrt(k1 * k1 * time * ell + linear * linear) + linear


METHODS: Final[dict[str, Callable[..., object]]] = {"polynomial_stitching_bound": polynomial_stitching_bound}
