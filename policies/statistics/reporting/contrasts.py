"""How far apart are all variants of one metric, over epochs that not all of them need to have shared?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.statistics.kernel import over_rows
from policies.statistics.reporting.compare import Comparer
from policies.statistics.reporting.traffic import Measured
from policies.statistics.result import NotEstimable
from policies.statistics.strata.additive import linear_map
from policies.statistics.strata.clustered import Panel

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Contrasts:
    """C ``variants`` relative to their mean: ``values`` (C,), which sum to 0, and their covariance (C, C).

    ``kept`` are the epochs (E,) that any two of the variants share.
    """

    variants: tuple[int, ...]
    values: Floats
    covariance: Floats
    kept: NDArray[np.bool_]

    def between(self) -> Floats:
        """The variances of the differences of any two, (C, C)."""
        diagonal = np.diag(self.covariance)
        apart: Floats = diagonal[:, None] + diagonal - 2.0 * self.covariance
        return apart

    def shrunk(self, deviation: float) -> Contrasts:
        """Under a prior by which the variants' true means scatter normally with this standard deviation.

        With prior covariance t**2 I and the data's S: M S and M values, M = t**2 (S + t**2 I)^-1 (Lindley &
        Smith 1972). The prior's own mean moves all variants alike, and so no difference.
        """
        square = deviation**2
        size = len(self.values)
        shrink = square * np.linalg.inv(self.covariance + square * np.eye(size))
        return Contrasts(self.variants, shrink @ self.values, shrink @ self.covariance, self.kept)


def contrasts(metric: Measured, comparer: Comparer, variants: Sequence[int]) -> Contrasts | NotEstimable:
    """The additive fit of these variants and the epochs, each epoch's mean weighing as its outcomes counted.

    Weights by counts rather than by estimated precisions, as those go with the means where events are few;
    the covariance is of the units' combined influence over epochs, so it is right whatever the weights. With
    a covariate, CUPED on the influences, one theta for all variants (Deng et al. 2013). A variant that no
    epoch joins to the others is not among the result's. ``NotEstimable`` when the evidence is too thin.
    """
    panel, name = metric.panel, metric.spec.name
    chosen = list(variants)
    sizes = np.where(panel.clusters[:, chosen] > 1, panel.total[:, chosen], 0.0)
    kept = np.count_nonzero(sizes, axis=1) > 1
    found = linear_map(sizes * kept[:, None])
    if isinstance(found, NotEstimable):
        return NotEstimable(name, found.reason)
    maps, joined = found
    joined = tuple(chosen[k] for k in joined)
    thin = comparer.thin(joined, kept)
    if thin is not None:
        return NotEstimable(name, thin)
    values, pulls = _mapped(panel, maps, chosen)
    if metric.covariate is not None:
        lacking = (metric.covariate.clusters[:, chosen] < 2) & np.any(maps != 0.0, axis=0)
        if lacking.any():
            return NotEstimable(name, "the covariate lacks data in an epoch")
        known, explained = _mapped(metric.covariate, maps, chosen)
        spread = float(np.vdot(explained, explained))
        if spread == 0.0:
            return NotEstimable(name, "the covariate does not vary")
        theta = float(np.vdot(pulls, explained)) / spread
        values, pulls = values - theta * known, pulls - theta * explained
    result = Contrasts(joined, values, pulls @ pulls.T, kept)
    off = ~np.eye(len(joined), dtype=bool)
    return NotEstimable(name, "zero variance") if result.between()[off].min() <= 0.0 else result


def _mapped(panel: Panel, maps: Floats, variants: Sequence[int]) -> tuple[Floats, Floats]:
    """Values (C,) and influences by bucket (C, B), both about their mean over the C variants."""
    values = np.einsum("cek,ek->c", maps, np.nan_to_num(panel.mean[:, variants]))
    pulls = np.zeros((len(maps), panel.residual.shape[2]))
    for k, v in enumerate(variants):
        # A variance that is only rounding is none: see ``Panel``.
        weights = maps[:, :, k] * np.where(panel.variance[:, v] > 0.0, panel.counts.factor[:, v], 0.0)
        pulls += over_rows(weights, panel.residual[:, v])
    return values - values.mean(), pulls - pulls.mean(axis=0)
