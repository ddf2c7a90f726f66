"""Which curve does a sub-exponential sum stay below for ever? (heavy-tailed increments such as latencies)

The gamma-exponential mixture of Howard et al. (2021, "Time-uniform, nonparametric, nonasymptotic confidence
sequences", Annals of Statistics, Proposition 9), for sums with scale c; with r = rho / c**2,
u = (c s + v) / c**2 and P the regularised lower incomplete gamma function,

    ln m = r ln r - ln Gamma(r) - ln P(r, r) + ln Gamma(v/c**2 + r) + ln P(v/c**2 + r, u + r)
           - (v/c**2 + r) ln(u + r) + u

The boundary is the s at which m = 1/alpha; it is crossed at any time with a probability of at most alpha.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Final

from scipy.optimize import brentq
from scipy.special import gammainc

from policies.statistics.always_valid.normal_mixture import normal_mixture_bound, normal_mixture_rho
from policies.statistics.arguments import nonnegative, positive, share
from policies.statistics.logarithms import beyond_stirling, entropy_excess


def gamma_exponential_bound(v: float, alpha: float, v_opt: float, c: float, alpha_opt: float = 0.05) -> float:
    """The boundary at intrinsic time ``v``, in the unit of the sum; tuned for ``v_opt`` at ``alpha_opt``.

    ``c`` is the sub-exponential scale in the unit of the sum. Raises ValueError for arguments out of range.

    >>> round(gamma_exponential_bound(100, 0.05, 100, 2), 5)
    33.02017
    """
    nonnegative("v", v)
    share("alpha", alpha)
    positive("c", c)
    rho = normal_mixture_rho(v_opt, alpha_opt, sides=1)

    def short(s: float) -> float:
        return _log_mixture(s, v, rho, c) + log(alpha)

    high = normal_mixture_bound(v, alpha, v_opt, alpha_opt)
    while short(high) < 0.0:
        high *= 2.0
    return float(brentq(short, 0.0, high, xtol=1e-12))


def _log_mixture(s: float, v: float, rho: float, c: float) -> float:
    """The formula above with Stirling's terms cancelled: for a small c they are all there is of it."""
    r = rho / (c * c)
    n = (v + rho) / (c * c)
    h = s * c / (v + rho)  # u + r = n (1 + h), and h - ln(1 + h) is what is left
    left = n * (1.0 + h) * entropy_excess(-h / (1.0 + h)) + 0.5 * log(r / n)
    tails = log(float(gammainc(n, n * (1.0 + h)))) - log(float(gammainc(r, r)))
    return left + beyond_stirling(n) - beyond_stirling(r) + tails


METHODS: Final[dict[str, Callable[..., object]]] = {"gamma_exponential_bound": gamma_exponential_bound}
