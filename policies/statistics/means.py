"""What is a sample's mean, and how precisely is it known?

Whatever the metric (a rate, a mean, a ratio of sums, a clustered mean), comparing two of them needs only
these four numbers, so that every method of difference and lift works for every metric.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan

from policies.statistics.arguments import nonnegative
from policies.statistics.evidence import BucketSums, Moments
from policies.statistics.result import NotEstimable


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean in the metric's unit, its variance (unit squared), that variance's degrees of freedom.

    ``n`` is the number of independent rows or clusters behind it. ``value`` and ``variance`` are NaN where
    they cannot be had from the evidence. Raises ValueError for a negative variance or n.
    """

    value: float
    variance: float
    df: float
    n: int

    def __post_init__(self) -> None:
        if self.variance < 0.0 or self.n < 0:
            name, wrong = ("variance", self.variance) if self.variance < 0.0 else ("n", self.n)
            raise ValueError(f"{name} must be >= 0, got {wrong!r}")

    @staticmethod
    def of(moments: Moments, i: int = 0) -> Mean:
        """The sample mean of quantity i: s**2 / n on n - 1 degrees of freedom.

        >>> Mean.of(Moments.from_values([1.0, 3.0])).variance
        1.0
        """
        if moments.count == 0:
            return Mean(nan, nan, nan, 0)
        return Mean(moments.mean[i], moments.variance(i) / moments.count, moments.count - 1.0, moments.count)

    @staticmethod
    def of_rate(successes: float, trials: float) -> Mean:
        """A rate, with the variance p (1 - p) / n. Raises ValueError unless 0 <= successes <= trials.

        >>> Mean.of_rate(1, 4).variance
        0.046875
        """
        nonnegative("trials", trials)
        if not 0 <= successes <= trials:
            raise ValueError(f"successes must be in 0..{trials}, got {successes!r}")
        if trials == 0:
            return Mean(nan, nan, nan, 0)
        rate = successes / trials
        return Mean(rate, rate * (1.0 - rate) / trials, trials - 1.0, int(trials))

    @staticmethod
    def of_ratio(moments: Moments) -> Mean:
        """The ratio of sums of quantities 0 (numerator) and 1 (denominator), by the delta method.

        ``(s2_m - 2 r s_md + r**2 s2_d) / (n d_mean**2)`` over units. Source: Deng, Knoblich & Lu (2018).

        >>> Mean.of_ratio(Moments.from_values([[1.0, 2.0], [2.0, 2.0]])).value
        0.75
        """
        if moments.count == 0 or moments.mean[1] == 0.0:
            return Mean(nan, nan, nan, moments.count)
        ratio = moments.mean[0] / moments.mean[1]
        spread = moments.covariance(0, 0) - 2 * ratio * moments.covariance(0, 1)
        spread += ratio**2 * moments.covariance(1, 1)
        variance = max(spread, 0.0) / (moments.count * moments.mean[1] ** 2)
        return Mean(ratio, variance, moments.count - 1.0, moments.count)

    @staticmethod
    def of_buckets(sums: BucketSums) -> Mean:
        """A metric's mean from bucket sums, its variance clustered by unit.

        Raises nothing. Source: Deng, Knoblich & Lu (2018).

        >>> import numpy as np
        >>> Mean.of_buckets(BucketSums(np.array([2, 2]), np.array([0, 2]))).value
        0.5
        """
        return Mean(sums.mean, sums.variance_of_mean(), sums.clusters - 1.0, sums.clusters)


def incomparable(method: str, a: Mean, b: Mean) -> NotEstimable | None:
    """Why control ``a`` and treatment ``b`` cannot be compared, or None if they can.

    >>> incomparable("welch", Mean.of_rate(0, 0), Mean.of_rate(1, 4)).reason
    'the control is empty'
    """
    for name, sample in (("control", a), ("treatment", b)):
        if sample.n == 0:
            return NotEstimable(method, f"the {name} is empty")
        if sample.n < 2:
            return NotEstimable(method, f"the {name} has one unit only: its variance is unknown")
        if not (isfinite(sample.value) and isfinite(sample.variance)):
            return NotEstimable(method, f"the {name}'s mean or variance is not finite")
    if a.variance + b.variance == 0.0:
        return NotEstimable(method, "zero variance in both variants")
    return None
