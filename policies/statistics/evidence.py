"""What is known of an experiment, in sums small enough to keep and exact enough to merge?

Two forms. ``Moments`` are count, means and centred co-moments of rows (one row a unit). ``BucketSums`` are a
metric's sums by unit bucket: since a unit always falls into the same bucket, the variance between buckets
is a unit-clustered variance, at a memory that grows neither with units nor with requests. Integers stay
integers. An epoch is a time of constant weights, and nothing here mixes two of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from policies.statistics.arguments import nonnegative
from policies.statistics.moments import ROUNDING, Moments

__all__ = [
    "ROUNDING",
    "BucketSums",
    "EpochEvidence",
    "ExperimentEvidence",
    "Moments",
    "Numbers",
    "VariantEvidence",
]

Numbers = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BucketSums:
    """A metric's sums by unit bucket, in one epoch and variant: both (B,), int64 kept as int64.

    ``denominator`` counts outcomes (or requests), ``numerator`` sums their values. Means are of one double,
    so a difference of 1 has 15 digits less those of the offset: 8 at 1e7, 3 at 1e12.
    """

    denominator: Numbers
    numerator: Numbers

    def __post_init__(self) -> None:
        if self.denominator.ndim != 1 or self.denominator.shape != self.numerator.shape:
            shapes = f"{self.denominator.shape} and {self.numerator.shape}"
            raise ValueError(f"denominator and numerator must share one shape (B,), got {shapes}")

    @staticmethod
    def empty(buckets: int) -> BucketSums:
        """No outcome in any bucket: the neutral element of ``merge``.

        >>> BucketSums.empty(2).clusters
        0
        """
        return BucketSums(np.zeros(buckets, np.int64), np.zeros(buckets, np.int64))

    def merge(self, other: BucketSums) -> BucketSums:
        """The sums of both, bucket by bucket; only within one epoch and variant is that a fair comparison.

        Raises ValueError for another number of buckets.

        >>> one = BucketSums(np.array([1, 2]), np.array([0, 2]))
        >>> one.merge(one).numerator.tolist()
        [0, 4]
        """
        if self.denominator.shape != other.denominator.shape:
            raise ValueError(f"cannot merge {self.denominator.size} and {other.denominator.size} buckets")
        return BucketSums(
            np.add(self.denominator, other.denominator), np.add(self.numerator, other.numerator)
        )

    @property
    def clusters(self) -> int:
        """How many buckets hold anything: the number of independent clusters.

        >>> BucketSums(np.array([0, 2]), np.array([0, 1])).clusters
        1
        """
        return int(np.count_nonzero(self.denominator))

    @property
    def mean(self) -> float:
        """Sum of values over sum of counts, in the metric's unit; NaN when nothing was counted.

        >>> BucketSums(np.array([1, 3]), np.array([0, 2])).mean
        0.5
        """
        total = float(self.denominator.sum())
        return float(self.numerator.sum()) / total if total else float("nan")

    def influence(self) -> NDArray[np.float64]:
        """Each bucket's first-order pull on the mean, (B,): their squares sum to its clustered variance.

        ``sqrt(M / (M-1)) (num_b - R den_b) / sum den`` over the M buckets that hold anything. Buckets
        without a unit carry no information, so they are not counted: with few units M is the number of
        units, and the factor is that of a small sample. Zeros for fewer than two clusters.
        Source: Taylor linearisation; Deng, Knoblich & Lu (2018).

        >>> BucketSums(np.array([2, 2]), np.array([0, 2])).influence().round(6).tolist()
        [-0.353553, 0.353553]
        """
        clusters = self.clusters
        if clusters < 2:
            return np.zeros(self.denominator.shape)
        expected = self.mean * self.denominator
        residual = self.numerator - expected
        residual = np.where(np.abs(residual) <= ROUNDING * np.abs(expected), 0.0, residual)
        factor = sqrt(clusters / (clusters - 1)) / float(self.denominator.sum())
        return np.multiply(residual, factor, dtype=np.float64)

    def variance_of_mean(self) -> float:
        """The clustered variance of ``mean``; NaN for fewer than two clusters.

        >>> BucketSums(np.array([2, 2, 2, 2]), np.array([0, 1, 1, 2])).variance_of_mean()
        0.041666666666666664
        """
        if self.clusters < 2:
            return float("nan")
        return float(np.square(self.influence()).sum())


@dataclass(frozen=True, slots=True)
class VariantEvidence:
    """What one variant did in one epoch; arrays are by unit bucket (B,) unless said otherwise.

    ``units`` is the number of distinct units, counted by a bitmap of hashed positions (linear counting:
    Whang, Vander-Zanden & Taylor 1990); ``units_variance`` is that count's variance given the true one, 0
    when it is exact. Histograms are (G, K): G groups of buckets (bucket modulo G) by K latency cells.
    ``immature_requests`` are younger than the attribution window: their outcomes may still come.
    ``fallback_requests`` were served by another variant's backend, and ``capped`` has by metric the outcomes
    that counted as its cap: None, or no entry, where nobody counted them.
    """

    requests: NDArray[np.int64]
    errors: NDArray[np.int64]
    first_byte: NDArray[np.float64]
    last_byte: NDArray[np.float64]
    units: float
    units_variance: float
    first_byte_histogram: NDArray[np.int64]
    last_byte_histogram: NDArray[np.int64]
    outcomes: Mapping[str, BucketSums]
    immature_requests: int
    fallback_requests: int | None = None
    capped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        nonnegative("units", self.units)
        nonnegative("units_variance", self.units_variance)
        nonnegative("immature_requests", self.immature_requests)
        for name in ("errors", "first_byte", "last_byte"):
            if getattr(self, name).shape != self.requests.shape:
                raise ValueError(f"{name} must have the shape {self.requests.shape} of requests")
        for name, sums in self.outcomes.items():
            if sums.denominator.shape != self.requests.shape:
                raise ValueError(f"outcomes {name!r} must have the shape {self.requests.shape} of requests")
        if self.first_byte_histogram.shape != self.last_byte_histogram.shape:
            raise ValueError("both latency histograms must have the same shape (G, K)")


@dataclass(frozen=True, slots=True)
class EpochEvidence:
    """A time of constant weights: ``started`` and ``ended`` in unix seconds, ``ended`` None while it runs.

    ``weights`` are those in force in this epoch; a paused variant's is 0. ``variants`` may lack one that was
    added later or had no traffic. ``drawn`` is for whom a variant was drawn by these weights: once for each
    unit, anew for each request, or not by them alone but by the request's features.
    """

    number: int
    started: float
    ended: float | None
    weights: Mapping[str, float]
    variants: Mapping[str, VariantEvidence]
    drawn: Literal["unit", "request", "features"] = "unit"

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            nonnegative(f"epoch {self.number}: weight of {name!r}", weight)
        unknown = sorted(set(self.variants) - set(self.weights))
        if unknown:
            raise ValueError(f"epoch {self.number}: evidence of variants without a weight: {unknown}")


@dataclass(frozen=True, slots=True)
class ExperimentEvidence:
    """All epochs of one experiment, in order, and which variant the others are compared with."""

    experiment: str
    control: str
    epochs: tuple[EpochEvidence, ...]

    @property
    def variants(self) -> tuple[str, ...]:
        """All variants that ever had a weight, control first, then in the order of their appearance.

        >>> from policies.statistics.sample import evidence
        >>> evidence().variants
        ('a', 'b')
        """
        seen = dict.fromkeys(name for epoch in self.epochs for name in epoch.weights)
        seen.pop(self.control, None)
        return (self.control, *seen)
