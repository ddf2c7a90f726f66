"""Which curve does a sub-Gaussian sum stay below for ever? (Howard's normal mixture boundary)

Howard, Ramdas, McAuliffe & Sekhon (2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences",
Annals of Statistics; Propositions 5 and 6; Robbins 1970). For a sum s with intrinsic time v (its accumulated
variance), mixing exp(lambda s - lambda**2 v / 2) over lambda ~ N(0, 1/rho), whole or its positive half:

    two-sided   ln m = ln(rho / (v + rho)) / 2 + s**2 / (2 (v + rho))
                bound = sqrt((v + rho) ln((v + rho) / (rho alpha**2)))
    one-sided   ln m = ln(4 rho / (v + rho)) / 2 + s**2 / (2 (v + rho)) + ln Phi(s / sqrt(v + rho))

Each boundary is crossed at any time with a probability of at most alpha.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, sqrt
from typing import Final

from scipy.optimize import brentq
from scipy.special import log_ndtr

from policies.statistics.always_valid.asymptotic import Tuning, optimum
from policies.statistics.arguments import finite, nonnegative, one_of, positive, share


def normal_mixture_rho(
    v_opt: float, alpha_opt: float = 0.05, sides: int = 2, tuning: Tuning = "expansion"
) -> float:
    """The rho (in the unit of v) that makes the boundary tightest at intrinsic time ``v_opt``.

    Raises ValueError for arguments out of range.

    >>> round(normal_mixture_rho(100), 5)
    12.60056
    """
    positive("v_opt", v_opt)
    one_of("sides", sides, (1, 2))
    share("alpha_opt", alpha_opt)
    return v_opt / optimum(alpha_opt if sides == 2 else min(2.0 * alpha_opt, 0.999), tuning)


def normal_log_mixture(s: float, v: float, rho: float, sides: int = 2) -> float:
    """The natural logarithm of the e-value at sum ``s`` and intrinsic time ``v``.

    Raises ValueError for arguments out of range.

    >>> round(normal_log_mixture(10, 100, normal_mixture_rho(100)), 7)
    -0.6510052
    """
    finite("s", s)
    nonnegative("v", v)
    positive("rho", rho)
    one_of("sides", sides, (1, 2))
    whole = 0.5 * log(rho / (v + rho)) + s * s / (2.0 * (v + rho))
    return whole if sides == 2 else whole + log(2.0) + float(log_ndtr(s / sqrt(v + rho)))


def normal_mixture_bound(
    v: float,
    alpha: float,
    v_opt: float,
    alpha_opt: float = 0.05,
    sides: int = 2,
    tuning: Tuning = "expansion",
) -> float:
    """The boundary at intrinsic time ``v`` (in the unit of the sum), tuned for ``v_opt`` at ``alpha_opt``.

    A mean's interval is ``(s +- bound) / n``. Raises ValueError for arguments out of their range.

    >>> [round(normal_mixture_bound(100, 0.05, 100, sides=sides), 5) for sides in (2, 1)]
    [30.35209, 27.66071]
    """
    nonnegative("v", v)
    share("alpha", alpha)
    rho = normal_mixture_rho(v_opt, alpha_opt, sides, tuning)
    two_sided = sqrt((v + rho) * (log((v + rho) / rho) - 2.0 * log(alpha)))
    if sides == 2:
        return two_sided
    # At the two-sided boundary of alpha the one-sided mixture has passed its own threshold of the same alpha.
    return float(brentq(lambda s: normal_log_mixture(s, v, rho, 1) + log(alpha), 0.0, two_sided, xtol=1e-12))


METHODS: Final[dict[str, Callable[..., object]]] = {
    "normal_mixture_bound": normal_mixture_bound,
    "normal_log_mixture": normal_log_mixture,
}
