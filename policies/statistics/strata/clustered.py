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
from policies.statistics.kernel import wald, welch_df
from policies.statistics.means import Mean
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.strata.stratified import NONE_USABLE, Weighting, stratum_weights

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Panel:
    """One metric over E epochs, V variants and B buckets, linearised.

    ``mean`` and ``total`` (denominators) are (E, V); ``clusters`` (E, V) counts buckets with data;
    ``influence`` is (E, V, B), see ``BucketSums.influence``; ``present`` (V, B) says which buckets ever had
    data. ``mean`` is NaN where a variant has no data in an epoch.
    """

    mean: Floats
    total: Floats
    clusters: NDArray[np.int64]
    influence: Floats
    present: NDArray[np.bool_]

    @staticmethod
    def of(denominator: Floats, numerator: Floats) -> Panel:
        """From sums (E, V, B), in one pass over the arrays."""
        filled = denominator > 0
        clusters = filled.sum(axis=2)
        total, won = denominator.sum(axis=2), numerator.sum(axis=2)
        mean = np.divide(won, total, out=np.full(total.shape, np.nan), where=total > 0)
        expected = np.nan_to_num(mean)[:, :, None] * denominator
        residual = numerator - expected
        residual[np.abs(residual) <= ROUNDING * np.abs(expected)] = 0.0
        factor = np.sqrt(np.divide(clusters, clusters - 1.0, out=np.zeros(total.shape), where=clusters > 1))
        residual *= np.divide(factor, total, out=factor, where=total > 0)[:, :, None]
        return Panel(mean, total, clusters, residual, np.any(filled, axis=0, keepdims=False))

    def usable(self, control: int, treatment: int) -> NDArray[np.bool_]:
        """The epochs (E,) in which both variants have at least two clusters."""
        return (self.clusters[:, control] > 1) & (self.clusters[:, treatment] > 1)

    def combine(self, variant: int, weights: Floats) -> tuple[Mean, Floats]:
        """A variant's mean over epochs by ``weights`` (E,), and its combined influence (B,)."""
        influence: Floats = weights @ self.influence[:, variant, :]
        inside = weights > 0
        value = float((weights[inside] * self.mean[inside, variant]).sum())
        clusters = int(self.present[variant].sum())
        return Mean(value, float(influence @ influence), clusters - 1.0, clusters), influence


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
    panel = Panel.of(*stacked)
    kept = panel.usable(0, 1)
    if not kept.any():
        return NotEstimable(method, NONE_USABLE)
    weights = np.zeros(len(epochs))
    weights[kept] = stratum_weights([(a, b) for a, b in panel.total[kept].tolist()], weighting)
    (a, pull_a), (b, pull_b) = panel.combine(0, weights), panel.combine(1, weights)
    gap = pull_b - pull_a
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
