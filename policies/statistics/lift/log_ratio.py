"""By how much is the treatment above the control, relative to it, on the scale of the log-ratio?

An interval that is never below -100 % and is the same whichever variant is called the control; both means
must be positive. For two rates it is Katz's interval of the risk ratio.
"""

from __future__ import annotations

from collections.abc import Callable
from math import expm1, log
from typing import Final

from policies.statistics.kernel import wald, welch_df
from policies.statistics.means import Mean, incomparable
from policies.statistics.result import Estimate, NotEstimable

_ASSUMPTIONS: Final = ("the logarithm of both means is nearly normal",)


def log_lift(a: Mean, b: Mean, alpha: float = 0.05, *, use_t: bool = True) -> Estimate | NotEstimable:
    """The relative lift b / a - 1 by the log-ratio, ``R exp(+- t sqrt(var_a / a**2 + var_b / b**2)) - 1``.

    Args: the two ``Mean``s; alpha; use_t, False for the normal quantile. Returns a share (0.1 is +10 %) with
    the p-value of the log-ratio; detail ``log_standard_error``. ``NotEstimable`` for an empty variant, one
    unit, zero variance, or a mean that is not positive. Raises ValueError unless alpha is in (0, 1).
    Source: Katz, Baptista, Azen & Pike (1978).

    >>> round(log_lift(Mean.of_rate(1000, 10_000), Mean.of_rate(1122, 10_200), use_t=False).low, 6)
    0.014768
    """
    method = "lift (log-ratio)"
    problem = incomparable(method, a, b)
    if problem is not None:
        return problem
    if a.value <= 0.0 or b.value <= 0.0:
        return NotEstimable(method, "the logarithm needs both means above zero")
    part_a, part_b = a.variance / a.value**2, b.variance / b.value**2
    df = welch_df(part_a, a.df, part_b, b.df) if use_t else float("inf")
    logged = wald(method, log(b.value / a.value), part_a + part_b, alpha, df=df)
    if isinstance(logged, NotEstimable):
        return logged
    assert logged.standard_error is not None
    return Estimate(
        method=method,
        estimate=(b.value - a.value) / a.value,
        low=expm1(logged.low),
        high=expm1(logged.high),
        level=logged.level,
        p_value=logged.p_value,
        assumptions=_ASSUMPTIONS,
        details=(("log_standard_error", logged.standard_error), *logged.details),
    )


def risk_ratio(
    x_a: float, n_a: float, x_b: float, n_b: float, alpha: float = 0.05
) -> Estimate | NotEstimable:
    """The relative lift p_b / p_a - 1 of two rates, by Katz's log interval (normal quantile).

    Args: successes and trials of control a and treatment b; alpha. Returns and errors as for ``log_lift``,
    and ValueError unless 0 <= x <= n. The risk ratio itself is the lift plus 1.
    Source: Katz, Baptista, Azen & Pike (1978).

    >>> round(risk_ratio(1000, 10_000, 1122, 10_200).high, 6)
    0.192391
    """
    return log_lift(Mean.of_rate(x_a, n_a), Mean.of_rate(x_b, n_b), alpha, use_t=False)


METHODS: Final[dict[str, Callable[..., object]]] = {"log_lift": log_lift, "risk_ratio": risk_ratio}
