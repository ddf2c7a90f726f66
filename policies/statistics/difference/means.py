"""How far apart are two means: by Welch, by Student, as ratios of sums, or clustered by unit?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policies.statistics.evidence import BucketSums, Moments
from policies.statistics.kernel import wald, welch_df
from policies.statistics.means import Mean, incomparable
from policies.statistics.result import Estimate, NotEstimable

INDEPENDENT: Final = ("units are independent", "the mean is nearly normal")


def difference(
    a: Mean, b: Mean, alpha: float = 0.05, *, method: str = "difference of means"
) -> Estimate | NotEstimable:
    """Treatment ``b`` minus control ``a``, with the Welch-Satterthwaite t interval and p-value.

    ``d = b - a``, ``V = var_a + var_b``, ``t = d / sqrt(V)``. Works for whatever ``Mean`` describes. In the
    metric's unit. ``NotEstimable`` for an empty variant, a single unit, or zero variance in both. Raises
    ValueError unless alpha is in (0, 1). Source: Welch (1947).

    >>> difference(Mean.of_rate(10, 100), Mean.of_rate(30, 100)).estimate
    0.19999999999999998
    """
    problem = incomparable(method, a, b)
    if problem is not None:
        return problem
    return _tested(method, a, b, b.value - a.value, alpha)


def welch(a: Moments, b: Moments, alpha: float = 0.05) -> Estimate | NotEstimable:
    """Welch's t test: the difference of means of two samples whose variances may differ.

    Args: a, b, moments of one quantity each (n rows, one per unit); alpha, 1 - the interval's level.
    Returns the difference b - a in the metric's unit, its interval and two-sided p-value; ``NotEstimable``
    for an empty sample, n = 1 or zero variance. Values may lie at an offset of 1e12 and more: means are not
    rounded before they are subtracted. Raises ValueError unless alpha is in (0, 1).
    Source: Welch (1947), "The generalization of Student's problem".

    >>> a, b = Moments.from_values([1.0, 2.0, 3.0]), Moments.from_values([4.0, 5.0, 7.0])
    >>> round(welch(a, b).p_value, 6)
    0.041915
    """
    means = Mean.of(a), Mean.of(b)
    problem = incomparable("Welch's t", *means)
    return _tested("Welch's t", *means, a.gap(b), alpha) if problem is None else problem


def student(a: Moments, b: Moments, alpha: float = 0.05) -> Estimate | NotEstimable:
    """Student's t test: as Welch's, but with one variance pooled over both samples.

    Only for samples known to have equal variances; ``welch`` loses little when they do. Arguments, returns
    and errors as for ``welch``. Source: Student (1908), Fisher (1925).

    >>> a, b = Moments.from_values([1.0, 2.0, 3.0]), Moments.from_values([4.0, 5.0, 7.0])
    >>> student(a, b).detail("df")
    4.0
    """
    problem = incomparable("Student's t", Mean.of(a), Mean.of(b))
    if problem is not None:
        return problem
    df = a.count + b.count - 2.0
    pooled = (a.comoments[0][0] + b.comoments[0][0]) / df
    return wald(
        "Student's t", a.gap(b), pooled * (1.0 / a.count + 1.0 / b.count), alpha, df=df,
        assumptions=(*INDEPENDENT, "both variances are equal"),
    )  # fmt: skip


def ratio_of_sums(a: Moments, b: Moments, alpha: float = 0.05) -> Estimate | NotEstimable:
    """The difference of two ratio metrics (sum of m over sum of d, per unit), by the delta method.

    The right tool when a unit sends many requests and the metric is per request. Args: a, b, moments of the
    pair (m, d), one row a unit; alpha. Returns r_b - r_a in m's unit per d's; ``NotEstimable`` also when a
    denominator is zero throughout. Raises ValueError unless alpha is in (0, 1).
    Source: Deng, Knoblich & Lu (2018), "Applying the delta method in metric analytics".

    >>> a = Moments.from_values([[1.0, 2.0], [0.0, 1.0], [2.0, 3.0]])
    >>> b = Moments.from_values([[2.0, 2.0], [1.0, 1.0], [2.0, 3.0]])
    >>> round(ratio_of_sums(a, b).estimate, 6)
    0.333333
    """
    return difference(Mean.of_ratio(a), Mean.of_ratio(b), alpha, method="ratio of sums (delta method)")


def clustered(a: BucketSums, b: BucketSums, alpha: float = 0.05) -> Estimate | NotEstimable:
    """The difference of two means within one epoch, with a variance clustered by unit bucket.

    A unit that sends many requests makes them alike; requests counted as independent would then give far
    too many false positives. Args: a, b, bucket sums (B,) of control and treatment in the same epoch; alpha.
    Returns b - a in the metric's unit; ``NotEstimable`` for fewer than two buckets with data in either.
    Raises ValueError unless alpha is in (0, 1). Source: Deng, Knoblich & Lu (2018); Taylor linearisation.

    >>> import numpy as np
    >>> requests = np.array([2, 2, 2, 2])
    >>> a, b = BucketSums(requests, np.array([0, 1, 1, 2])), BucketSums(requests, np.array([1, 2, 2, 2]))
    >>> clustered(a, b).estimate
    0.375
    """
    return difference(Mean.of_buckets(a), Mean.of_buckets(b), alpha, method="clustered by unit bucket")


def _tested(method: str, a: Mean, b: Mean, value: float, alpha: float) -> Estimate | NotEstimable:
    """Two comparable means by Welch, ``value`` apart."""
    df = welch_df(a.variance, a.df, b.variance, b.df)
    return wald(
        method, value, a.variance + b.variance, alpha, df=df, assumptions=INDEPENDENT,
        details=(("control", a.value), ("treatment", b.value)),
    )  # fmt: skip


METHODS: Final[dict[str, Callable[..., object]]] = {
    "difference_of_means": difference,
    "welch": welch,
    "student": student,
    "ratio_of_sums": ratio_of_sums,
    "clustered": clustered,
}
