"""By how much is the treatment above the control, relative to it, by the delta method?

Kept for comparison with platforms that show it. It can contradict the test of the difference when the
control's mean is imprecise; ``fieller`` cannot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policies.statistics.kernel import wald, welch_df
from policies.statistics.means import Mean, incomparable
from policies.statistics.result import Estimate, NotEstimable


def delta_lift(a: Mean, b: Mean, alpha: float = 0.05) -> Estimate | NotEstimable:
    """The relative lift (b - a) / |a|, linearised in both means, with Welch's t interval.

    ``var = var_b / a**2 + b**2 var_a / a**4``. Args: the two ``Mean``s; alpha. Returns a share (0.1 is
    +10 %). ``NotEstimable`` for an empty variant, one unit, zero variance, or a control mean of zero. Raises
    ValueError unless alpha is in (0, 1). Source: Casella & Berger (2002), section 5.5.4.

    >>> round(delta_lift(Mean.of_rate(1000, 10_000), Mean.of_rate(1122, 10_200)).low, 6)
    0.011279
    """
    method = "lift (delta method)"
    problem = incomparable(method, a, b)
    if problem is not None:
        return problem
    if a.value == 0.0:
        return NotEstimable(method, "the control's mean is zero")
    ratio = b.value / a.value
    variance = (b.variance + ratio**2 * a.variance) / a.value**2
    return wald(
        method, (b.value - a.value) / abs(a.value), variance, alpha,
        df=welch_df(a.variance, a.df, b.variance, b.df),
        assumptions=("both means are nearly normal", "the control's mean is many standard errors from 0"),
    )  # fmt: skip


METHODS: Final[dict[str, Callable[..., object]]] = {"delta_lift": delta_lift}
