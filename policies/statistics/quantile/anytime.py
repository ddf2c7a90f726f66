"""Between which quantiles does a quantile lie, at any time, and do two variants' quantiles differ?

Howard & Ramdas (2022, "Sequential estimation of quantiles with applications to A/B testing and best-arm
identification", Bernoulli). For independent observations, at all times t >= m together and for all quantiles
together, the empirical distribution function is within A sqrt((ln(1 + ln(t/m)) + C) / t) of the true one
(Theorem 2, a time-uniform Dvoretzky-Kiefer-Wolfowitz bound), where C solves

    alpha = inf_eta 4 exp(-g**2 C) (1 + 1 / ((g**2 - 1) ln eta))
    g     = sqrt(2/eta) (A - sqrt(2 (eta - 1) / C))

The two-sample test bounds, over every value x that both quantiles may share, the product of both variants'
beta-binomial e-values against "a share p lies at or below x".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import ceil, exp, inf, log, log1p, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar

from policies.statistics.always_valid.beta_binomial import beta_binomial_log_e
from policies.statistics.arguments import numbers, positive, share
from policies.statistics.result import Estimate, NotEstimable, Test

Floats = NDArray[np.float64]


def empirical_process_lil_bound(
    t: float, alpha: float = 0.05, t_min: float = 100.0, a: float = 0.85
) -> float:
    """The bound on the empirical distribution function's error after t observations (a share).

    Args: t_min, the count from which it holds (before: infinite); a > 1/sqrt 2 trades early for late width.
    Raises ValueError for arguments out of range.

    >>> round(empirical_process_lil_bound(1000), 7)
    0.0820478
    """
    positive("t", t)
    positive("t_min", t_min)
    share("alpha", alpha)
    if not a > sqrt(0.5):
        raise ValueError(f"a must be > sqrt(1/2), got {a!r}")
    return inf if t < t_min else a * sqrt((log1p(log(t / t_min)) + _lil_constant(alpha, a)) / t)


def anytime_quantile(
    values: ArrayLike, q: float, alpha: float = 0.05, *, t_min: float = 100.0
) -> Estimate | NotEstimable:
    """The q-quantile of values (n,), with an interval that holds at all times and for all q together.

    Returns ``NotEstimable`` for fewer than ``t_min`` values. An end beyond all that was seen is infinite.
    Raises ValueError for values that are not finite, or arguments out of range.

    >>> result = anytime_quantile(np.arange(1.0, 1001.0), 0.5)
    >>> result.estimate, result.low, result.high
    (500.0, 417.0, 584.0)
    """
    method = "anytime quantile interval"
    x = np.sort(numbers("values", values))
    n = x.size
    share("q", q)
    if n < max(t_min, 1.0):
        return NotEstimable(method, f"{n} values, fewer than the {t_min:g} from which the bound holds")
    bound = empirical_process_lil_bound(n, alpha, t_min)
    low, high = int(np.floor(n * (q - bound))), int(np.floor(n * (q + bound))) + 2
    return Estimate(
        method=method,
        estimate=float(x[max(1, ceil(q * n)) - 1]),
        low=float(x[low - 1]) if low >= 1 else -inf,
        high=float(x[high - 1]) if high <= n else inf,
        level=1.0 - alpha,
        assumptions=("independent observations: one of each unit", "t_min was fixed before the start"),
        details=(("share_bound", bound), ("n", float(n))),
    )


def anytime_quantile_test(
    a: ArrayLike, b: ArrayLike, q: float, *, t_opt: float = 100.0, alpha_opt: float = 0.05
) -> Test | NotEstimable:
    """The anytime-valid test that two variants have the same q-quantile.

    Args: values (n,) of each; t_opt, the observations a variant at which it is most powerful, fixed before
    the start. The p-value holds at this look; the running minimum holds too. Returns ``NotEstimable`` when a
    variant is empty; raises ValueError for values that are not finite, or arguments out of range.

    >>> values = np.arange(1.0, 1001.0)
    >>> round(anytime_quantile_test(values, values + 100, 0.5).p_value, 6)
    0.005495
    """
    method = "anytime quantile test"
    share("q", q)
    positive("t_opt", t_opt)
    x, y = np.sort(numbers("a", a)), np.sort(numbers("b", b))
    if not x.size or not y.size:
        return NotEstimable(method, "a variant is empty")
    # The product falls towards either quantile's own place, so that its least is between the two of them.
    own = sorted(float(each[max(1, ceil(q * each.size)) - 1]) for each in (x, y))
    places = np.unique(np.concatenate((x, y)))
    places = places[(places >= own[0]) & (places <= own[1])]
    log_e = min(
        _log_e(x, place, q, t_opt, alpha_opt) + _log_e(y, place, q, t_opt, alpha_opt) for place in places
    )
    assumptions = ("independent observations: one of each unit", "t_opt was fixed before the start")
    return Test(method, log_e, exp(min(0.0, -log_e)), log_e, assumptions, (("n", float(x.size + y.size)),))


def _log_e(ordered: Floats, place: float, q: float, t_opt: float, alpha_opt: float) -> float:
    """Least e-value of one variant against its q-quantile being ``place``, whichever side ties fall."""
    n = ordered.size
    below = int(np.searchsorted(ordered, place, side="left"))
    through = int(np.searchsorted(ordered, place, side="right"))
    nearest = min(max(q * n, float(below)), float(through))
    return beta_binomial_log_e(nearest, n, q, t_opt, alpha_opt)


@cache
def _lil_constant(alpha: float, a: float) -> float:
    def excess(c: float) -> float:
        def g(eta: float) -> float:
            return sqrt(2.0 / eta) * (a - sqrt(2.0 * (eta - 1.0) / c))

        def log_error(log_step: float) -> float:
            eta = 1.0 + exp(log_step)
            beyond = max(g(eta) ** 2 - 1.0, 1e-300)
            return log(4.0) - (1.0 + beyond) * c + log1p(1.0 / (beyond * log(eta)))

        # Where g falls to 1 the bound is void; it is searched on the logarithm of eta - 1, well inside that.
        last = log(float(brentq(lambda eta: g(eta) - 1.0, 1.0, 2.0 * a * a)) - 1.0)
        best = minimize_scalar(log_error, bounds=(-25.0, last), method="bounded", options={"xatol": 1e-10})
        return float(best.fun) - log(alpha)

    return float(brentq(excess, 1.0, 1e5, xtol=1e-10))


METHODS: Final[dict[str, Callable[..., object]]] = {
    "empirical_process_lil_bound": empirical_process_lil_bound,
    "anytime_quantile": anytime_quantile,
    "anytime_quantile_test": anytime_quantile_test,
}
