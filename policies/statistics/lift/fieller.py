"""By how much is the treatment above the control, relative to it, with an interval that can be unbounded?

Fieller's set is that of all ratios R for which ``mean_b - R mean_a`` is not significantly different from
zero. It leaves out a lift of 0 exactly when the test of the difference rejects: one p-value serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from typing import Final, Literal

from policies.statistics.arguments import positive, share
from policies.statistics.kernel import critical, two_sided, welch_df
from policies.statistics.means import Mean, incomparable
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.tails import log_two_sided

Shape = Literal["bounded", "unbounded", "everything"]


@dataclass(frozen=True, slots=True)
class Fieller:
    """A Fieller set of lifts (0.1 is +10 %).

    ``bounded``: from ``low`` to ``high``. ``unbounded``: everything but what lies strictly between ``low``
    and ``high``, so neither an upper nor a lower bound is known. ``everything``: any lift at all. ``g`` is
    the squared critical value over the control mean's squared z: below 1 exactly when the set is bounded.
    """

    shape: Shape
    low: float
    high: float
    g: float


def fieller_set(a: float, b: float, var_a: float, var_b: float, cov: float, quantile: float) -> Fieller:
    """The set of lifts b / a - 1 not rejected at ``quantile`` standard errors.

    Args: means a (not 0) and b, their variances and covariance in the metric's unit (squared); quantile,
    of whatever test is meant: normal, t, or that of a confidence sequence, infinite for one that rejects
    nothing. A negative control mean counts by its size: lift is (b - a) / |a|. Where it is so near zero that
    the ratio's square is beyond the doubles, the set is ``everything``. Raises ValueError unless quantile
    > 0. Source: Fieller (1954), "Some problems in interval estimation".

    >>> fieller_set(1.0, 1.2, 0.01, 0.01, 0.0, 2.0).shape
    'bounded'
    >>> fieller_set(0.1, 1.2, 0.01, 0.01, 0.0, 2.0).shape
    'unbounded'
    """
    square = inf if quantile == inf else positive("quantile", quantile) * quantile
    # The roots of (b - R a)**2 = square (var_b - 2 R cov + R**2 var_a), a quadratic in R; its terms over a**2
    ratio, aa, bb, ab = b / a, var_a / a / a, var_b / a / a, cov / a / a
    g = square * aa
    middle = ratio - square * ab
    root = square * (bb - 2.0 * ratio * ab + ratio * ratio * aa - square * (aa * bb - ab * ab))
    if not isfinite(root) or (g >= 1.0 and (root < 0.0 or g == 1.0)):
        return Fieller("everything", -inf, inf, g)
    first, second = ((middle + side * sqrt(max(root, 0.0))) / (1.0 - g) for side in (-1.0, 1.0))
    lifts = sorted(((first - 1.0), (second - 1.0)) if a > 0 else ((1.0 - first), (1.0 - second)))
    return Fieller("bounded" if g < 1.0 else "unbounded", lifts[0], lifts[1], g)


def fieller(
    a: Mean, b: Mean, alpha: float = 0.05, *, covariance: float = 0.0, use_t: bool = False
) -> Estimate | NotEstimable:
    """The relative lift (b - a) / |a| of treatment over control, by Fieller.

    Args: the two ``Mean``s; alpha; their covariance, 0 for independent variants; use_t, to take Student's
    quantile with Welch's degrees of freedom in place of the normal. Returns a share (0.1 is +10 %) with the
    p-value of the difference. When the control's mean is too near zero for its precision (g >= 1) the bounds
    are -inf and inf and the detail ``shape`` says ``unbounded`` or ``everything``; ``gap`` then holds the
    lifts that are ruled out. ``NotEstimable`` for an empty variant, one unit, zero variance, or a control
    mean of zero. Raises ValueError unless alpha is in (0, 1). Source: Fieller (1954).

    >>> result = fieller(Mean.of_rate(1000, 10_000), Mean.of_rate(1122, 10_200))
    >>> round(result.low, 4), round(result.high, 4), result.detail("shape")
    (0.0149, 0.1928, 'bounded')
    """
    share("alpha", alpha)
    method = "Fieller lift"
    problem = incomparable(method, a, b)
    if problem is not None:
        return problem
    if a.value == 0.0:
        return NotEstimable(method, "the control's mean is zero")
    variance = a.variance + b.variance - 2.0 * covariance
    if variance <= 0.0:
        return NotEstimable(method, "zero variance of the difference")
    df = welch_df(a.variance, a.df, b.variance, b.df) if use_t else inf
    found = fieller_set(a.value, b.value, a.variance, b.variance, covariance, critical(alpha, df))
    bounded, statistic = found.shape == "bounded", (b.value - a.value) / sqrt(variance)
    gap = (found.low, found.high) if found.shape == "unbounded" else ()
    return Estimate(
        method=method,
        estimate=(b.value - a.value) / abs(a.value),
        standard_error=None,
        low=found.low if bounded else -inf,
        high=found.high if bounded else inf,
        level=1.0 - alpha,
        p_value=two_sided(statistic, df),
        assumptions=("both means are jointly nearly normal",),
        details=(
            ("shape", found.shape),
            ("g", found.g),
            ("gap", gap),
            ("log_p_value", log_two_sided(statistic, df)),
            *_df(df),
        ),
    )


def _df(df: float) -> tuple[tuple[str, float], ...]:
    return (("df", df),) if isfinite(df) else ()


METHODS: Final[dict[str, Callable[..., object]]] = {"fieller_lift": fieller}
