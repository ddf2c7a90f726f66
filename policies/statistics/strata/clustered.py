"""What is the effect over several epochs, when the same units come back in each?

A unit keeps its bucket through all epochs, so the variance is taken between buckets of the *combined*
linearised values. Adding the epochs' variances up would treat a returning unit as a new one each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.statistics.evidence import ROUNDING, BucketSums
from policies.statistics.kernel import over_rows, wald, welch_df
from policies.statistics.means import Mean
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.strata.stratified import NONE_USABLE, Weighting, stratum_weights

Floats = NDArray[np.float64]

# Of a mean or a standard error: its fourth power is still a double's.
LARGEST: Final = 1e75


@dataclass(frozen=True, slots=True)
class Counts:
    """What values are counted over: ``array`` (E, V, B), E epochs by V variants by B buckets.

    ``held`` (E, V, B) says which of them hold anything. The rest is (E, V): ``total``, the ``clusters`` held,
    and ``factor``, what a residual is multiplied by to be an influence: sqrt(M / (M - 1)) over the total for
    M clusters, 0 for fewer than two. Metrics per request share one of these.
    """

    array: Floats
    held: NDArray[np.bool_]
    total: Floats
    clusters: NDArray[np.int64]
    factor: Floats

    @staticmethod
    def of(array: Floats) -> Counts:
        """From the counts (E, V, B) themselves.

        >>> Counts.of(np.array([[[2.0, 0.0, 1.0]]])).clusters.tolist()
        [[2]]
        """
        held = array != 0.0
        clusters = held.view(np.int8).sum(axis=2, dtype=np.int32).astype(np.int64)
        total, known = array.sum(axis=2), clusters > 1
        factor = (
            np.sqrt(clusters / np.where(known, clusters - 1.0, 1.0)) * known / np.where(known, total, 1.0)
        )
        return Counts(array, held, total, clusters, factor)

    def clusters_over(self, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many buckets of each variant hold anything in any of the kept epochs (E,): (V,).

        >>> counts = Counts.of(np.array([[[2.0, 0.0]], [[0.0, 1.0]]]))
        >>> counts.clusters_over(np.array([True, True])).tolist()
        [2]
        """
        held: NDArray[np.bool_] = self.held if kept.all() else self.held[kept]
        clusters: NDArray[np.int64] = np.count_nonzero(held.any(axis=0), axis=1)
        return clusters


@dataclass(frozen=True, slots=True)
class Combined:
    """V variants' means over epochs under R weightings, (V, R), their variances, and influences (V, R, B).

    ``mapped`` (C, B) are the influences of linear maps of all variants' means in all epochs.
    """

    value: Floats
    variance: Floats
    influence: Floats
    mapped: Floats


@dataclass(frozen=True, slots=True)
class Panel:
    """One metric over E epochs, V variants and B buckets, as residuals about each epoch's own mean.

    ``residual`` (E, V, B) is numerator - mean * denominator; the rest is (E, V): ``won``, the sum of the
    numerators, ``level`` the mean (0 without data), its ``variance``, clustered, and ``cross``, its
    covariance with variant 0's. What is only rounding is 0.
    """

    counts: Counts
    residual: Floats
    won: Floats
    level: Floats
    variance: Floats
    cross: Floats

    @staticmethod
    def of(counts: Counts, numerator: Floats, spare: Floats | None = None) -> Panel:
        """From counts and numerators (E, V, B), in few passes; ``spare``, of their shape, is overwritten.

        Raises nothing. Source: Deng, Knoblich & Lu (2018) for the linearisation.

        >>> n = np.array([[[2.0, 2.0], [1.0, 3.0]]])  # one epoch, two variants, two buckets
        >>> panel = Panel.of(Counts.of(n), np.array([[[0.0, 2.0], [1.0, 2.0]]]))
        >>> panel.level.tolist(), panel.variance.round(6).tolist()
        ([[0.5, 0.75]], [[0.25, 0.015625]])
        """
        total, won = counts.total, numerator.sum(axis=2)
        level = np.divide(won, total, out=np.zeros(total.shape), where=total > 0)
        residual = np.multiply(counts.array, level[:, :, None], out=spare)
        np.subtract(numerator, residual, out=residual)
        square = np.matmul(residual[:, :, None, :], residual[:, :, :, None])[:, :, 0, 0]
        square[square <= (ROUNDING * level * total) ** 2] = 0.0
        cross = np.matmul(residual, residual[:, 0, :, None])[:, :, 0] * counts.factor * counts.factor[:, :1]
        cross[(square == 0.0) | (square[:, :1] == 0.0)] = 0.0
        return Panel(counts, residual, won, level, square * counts.factor**2, cross)

    @property
    def mean(self) -> Floats:
        """The mean of each epoch and variant (E, V), NaN without data."""
        return np.where(self.total > 0, self.level, np.nan)

    @property
    def total(self) -> Floats:
        """The denominators' sums (E, V)."""
        return self.counts.total

    @property
    def clusters(self) -> NDArray[np.int64]:
        """How many buckets hold any data, (E, V)."""
        return self.counts.clusters

    @property
    def measurable(self) -> NDArray[np.bool_]:
        """Where values are small enough that no power of them that is needed overflows, (E, V).

        >>> n = np.array([[[2.0, 2.0], [1.0, 3.0]]])  # one epoch, two variants, two buckets
        >>> panel = Panel.of(Counts.of(n), np.array([[[0.0, 2.0], [1.0, 2.0]]]))
        >>> panel.measurable.tolist()
        [[True, True]]
        """
        small: NDArray[np.bool_] = (np.abs(self.level) < LARGEST) & (self.variance < LARGEST**2)
        return small

    def usable(self, control: int, treatment: int) -> NDArray[np.bool_]:
        """The epochs (E,) in which both variants have at least two clusters.

        >>> n = np.array([[[2.0, 2.0], [1.0, 3.0]]])  # one epoch, two variants, two buckets
        >>> panel = Panel.of(Counts.of(n), np.array([[[0.0, 2.0], [1.0, 2.0]]]))
        >>> panel.usable(0, 1).tolist()
        [True]
        """
        return (self.clusters[:, control] > 1) & (self.clusters[:, treatment] > 1)

    def combine(self, weights: Floats, maps: Floats | None = None) -> Combined:
        """The variants' means over epochs by each of the weightings (R, E), whatever each is used for.

        Each epoch adds ``W_e`` times what ``BucketSums.influence`` says of it, and nothing where a variant
        has fewer than two clusters: a weighting serves the variants that have data wherever it has weight.
        ``maps`` (V, C, E) are further weights of all means together, of which the influence is wanted. Raises
        nothing. Source: Liang & Zeger (1986) for clustering.

        >>> n = np.array([[[2.0, 2.0], [1.0, 3.0]]])  # one epoch, two variants, two buckets
        >>> panel = Panel.of(Counts.of(n), np.array([[[0.0, 2.0], [1.0, 2.0]]]))
        >>> panel.combine(np.array([[1.0]])).value.tolist()
        [[0.5], [0.75]]
        """
        variants, count = self.level.shape[1], len(weights)
        rows = np.broadcast_to(weights, (variants, *weights.shape))
        if maps is not None:
            # A variance that is only rounding is none.
            rows = np.concatenate((rows, maps * (self.variance.T > 0.0)[:, None]), axis=1)
        pull = rows * self.counts.factor.T[:, None]
        pulled = over_rows(pull, self.residual.swapaxes(0, 1))
        influence = pulled[:, :count]
        variance = np.einsum("vrb,vrb->vr", influence, influence)
        sizes = np.abs(pull[:, :count] * self.level.T[:, None])
        # The scale of what was subtracted is never above the sum of the totals: mostly that is answer enough.
        above = variance <= (ROUNDING * (sizes @ self.total.T[:, :, None])[:, :, 0]) ** 2
        for v, r in np.argwhere(above):
            scale = over_rows(sizes[v, r], self.counts.array[:, v])
            if variance[v, r] <= ROUNDING**2 * float(scale @ scale):
                variance[v, r], influence[v, r] = 0.0, 0.0
        return Combined((weights @ self.level).T, variance, influence, pulled[:, count:].sum(axis=0))


def stratified_clustered(
    epochs: Sequence[tuple[BucketSums, BucketSums]], alpha: float = 0.05, *, weighting: Weighting = "traffic"
) -> Estimate | NotEstimable:
    """The weighted mean of the epochs' differences, with a variance clustered by unit over all of them.

    ``d = sum_e W_e (R_te - R_ce)``; its variance is the sum over buckets of the squared combined influence
    ``(sum_e W_e (I_te - I_ce))**2``. Args: (control, treatment) bucket sums (B,) of each epoch; alpha;
    weighting, as for ``stratified``, by outcomes counted. Returns the effect in the metric's unit with a
    Welch-Satterthwaite t interval; ``NotEstimable`` when no epoch has two clusters in both variants, or
    nothing varies. Raises ValueError for arguments out of their range. Source: Deng, Knoblich & Lu (2018)
    for the linearisation; Liang & Zeger (1986) for clustering; Cochran (1954) for the weights.

    >>> n = np.array([2, 2, 2, 2])
    >>> a, b = BucketSums(n, np.array([0, 1, 1, 2])), BucketSums(n, np.array([1, 2, 2, 2]))
    >>> stratified_clustered([(a, b), (a, BucketSums.empty(4))]).detail("strata_left_out")
    1.0
    """
    method = f"stratified by epoch, clustered by unit ({weighting} weights)"
    if not epochs:
        return NotEstimable(method, NONE_USABLE)
    stacked = [np.array([[getattr(each, name) for each in pair] for pair in epochs], np.float64)
               for name in ("denominator", "numerator")]  # fmt: skip
    panel = Panel.of(Counts.of(stacked[0]), stacked[1])
    kept = panel.usable(0, 1)
    if not kept.any():
        return NotEstimable(method, NONE_USABLE)
    weights = np.zeros(len(epochs))
    weights[kept] = stratum_weights([(a, b) for a, b in panel.total[kept].tolist()], weighting)
    found, clusters = panel.combine(weights[None]), panel.counts.clusters_over(kept).tolist()
    a, b = (
        Mean(float(found.value[v, 0]), float(found.variance[v, 0]), clusters[v] - 1.0, clusters[v])
        for v in (0, 1)
    )
    gap = found.influence[1, 0] - found.influence[0, 0]
    df = welch_df(a.variance, a.df, b.variance, b.df) if a.variance + b.variance > 0.0 else inf
    return wald(
        method, b.value - a.value, float(gap @ gap), alpha, df=df,
        assumptions=("units are independent", "a unit keeps its bucket", "the mean is nearly normal"),
        details=(
            ("weights", tuple(weights[kept].tolist())),
            ("strata_left_out", float((~kept).sum())),
            ("control", a.value),
            ("treatment", b.value),
        ),
    )  # fmt: skip


METHODS: Final[dict[str, Callable[..., object]]] = {"stratified_clustered": stratified_clustered}
