"""Is the treatment worse than the control by less than a margin?

Everything is oriented first, so that more is better: the null hypothesis is ``d <= -margin`` and the answer
a lower bound of d. A guardrail's silence proves nothing; this asks for proof that the harm is small.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, sqrt
from typing import Final

from policies.statistics.always_valid import asymptotic
from policies.statistics.arguments import nonnegative, positive, share
from policies.statistics.kernel import critical, oriented, upper_tail, welch_df
from policies.statistics.means import Mean, incomparable
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.tails import log_upper_tail


def noninferiority(
    a: Mean, b: Mean, margin: float, *, sign: int = 1, alpha: float = 0.05, use_t: bool = False
) -> Estimate | NotEstimable:
    """One-sided test and bound at one look: is treatment b at most ``margin`` worse than control a?

    ``z = (d + margin) / se`` with d oriented so that more is better; p-value of ``d <= -margin``;
    non-inferior when ``low > -margin``, exactly when p < alpha. Args: the ``Mean``s; margin > 0 in the
    metric's unit; sign, -1 when less is better; alpha, one-sided; use_t, for Student's quantile. Returns the
    oriented difference with its lower bound (``high`` is inf). ``NotEstimable`` for an empty variant, one
    unit or zero variance. Raises ValueError for arguments out of their range.
    Source: Blackwelder (1982); Schuirmann (1987).

    >>> result = noninferiority(Mean.of_rate(900, 1000), Mean.of_rate(880, 1000), 0.05)
    >>> round(result.low, 6), round(result.p_value, 6)
    (-0.043004, 0.015975)
    """
    positive("margin", margin)
    share("alpha", alpha)
    d, error, problem = _oriented(a, b, sign)
    if problem is not None:
        return problem
    df = welch_df(a.variance, a.df, b.variance, b.df) if use_t else inf
    z = (d + margin) / error
    return Estimate(
        method="non-inferiority",
        estimate=d,
        standard_error=error,
        low=d - critical(alpha, df, sides=1) * error,
        level=1.0 - alpha,
        p_value=upper_tail(z, df),
        assumptions=("one look, at the planned size", "units are independent", "the means are nearly normal"),
        details=(("z", z), ("log_p_value", log_upper_tail(z, df)), ("margin", margin)),
    )


def noninferiority_always_valid(
    a: Mean, b: Mean, margin: float, *, n: float, n_star: float, sign: int = 1, alpha: float = 0.05
) -> Estimate | NotEstimable:
    """As ``noninferiority``, by a one-sided confidence sequence: it may be watched at every moment.

    Args: as there; n, the units of both variants; n_star, the size the sequence is tuned to, fixed before the
    start. Details as there. ``NotEstimable`` also for fewer units than the approximation needs. Raises
    ValueError for arguments out of their range. Source: Waudby-Smith et al. (2024); Blackwelder (1982).

    >>> a, b = Mean.of_rate(9000, 10_000), Mean.of_rate(8900, 10_000)
    >>> round(noninferiority_always_valid(a, b, 0.05, n=20_000, n_star=20_000).low, 6)
    -0.022047
    """
    positive("margin", margin)
    method = "non-inferiority, always valid"
    d, error, problem = _oriented(a, b, sign)
    if problem is not None:
        return problem
    nonnegative("n", n)
    if n < asymptotic.MINIMUM:
        return NotEstimable(method, f"{n:g} units, fewer than the {asymptotic.MINIMUM} it needs")
    return Estimate(
        method=method,
        estimate=d,
        standard_error=error,
        low=d - asymptotic.half_width(error, n, alpha, n_star, sides=1),
        level=1.0 - alpha,
        p_value=asymptotic.p_value((d + margin) / error, n, alpha, n_star, sides=1),
        assumptions=asymptotic.ASSUMPTIONS,
        details=(("z", (d + margin) / error), ("margin", margin)),
    )


def _oriented(a: Mean, b: Mean, sign: int) -> tuple[float, float, NotEstimable | None]:
    """The difference with more being better, its standard error, and why neither can be had."""
    problem = incomparable("non-inferiority", a, b)
    error = 0.0 if problem is not None else sqrt(a.variance + b.variance)
    return oriented(sign, b.value - a.value), error, problem


METHODS: Final[dict[str, Callable[..., object]]] = {
    "noninferiority": noninferiority,
    "noninferiority_always_valid": noninferiority_always_valid,
}
