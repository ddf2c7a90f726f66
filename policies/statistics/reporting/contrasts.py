"""How far apart are all variants of one metric, over epochs that not all of them need to have shared?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.statistics.reporting.comparer import Comparer, unexplained
from policies.statistics.reporting.weighing import Fit
from policies.statistics.result import NotEstimable
from policies.statistics.strata.clustered import Combined, Panel

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Contrasts:
    """C ``variants`` relative to their mean: ``values`` (C,), which sum to 0, and their covariance (C, C).

    ``late`` is why they are not to be told yet: outcomes of too many requests may still come.
    """

    variants: tuple[int, ...]
    values: Floats
    covariance: Floats
    late: str | None

    def between(self) -> Floats:
        """The variances of the differences of any two, (C, C).

        In the unit squared. Raises nothing.

        >>> Contrasts((0, 1), np.array([-1.0, 1.0]), np.diag([1.0, 2.0]), None).between().tolist()
        [[0.0, 3.0], [3.0, 0.0]]
        """
        diagonal = np.diag(self.covariance)
        apart: Floats = diagonal[:, None] + diagonal - 2.0 * self.covariance
        return apart

    def shrunk(self, deviation: float) -> Contrasts:
        """Under a prior by which the variants' true means scatter normally with this standard deviation.

        With prior covariance t**2 I and the data's S: M S and M values, M = t**2 (S + t**2 I)^-1 (Lindley &
        Smith 1972). The prior's own mean moves all variants alike, and so no difference. Raises LinAlgError
        for a deviation of 0 and a singular covariance.

        >>> found = Contrasts((0, 1), np.array([-1.0, 1.0]), np.eye(2), None)
        >>> found.shrunk(1.0).values.tolist()
        [-0.5, 0.5]
        """
        square = deviation**2
        size = len(self.values)
        shrink = square * np.linalg.inv(self.covariance + square * np.eye(size))
        return Contrasts(self.variants, shrink @ self.values, shrink @ self.covariance, self.late)


def contrasts(comparer: Comparer) -> Contrasts | NotEstimable:
    """The additive fit of a declared metric's variants and the epochs: see ``Fit``.

    The covariance is of the units' combined influence over epochs, so it is right whatever the weights. With
    a covariate, CUPED on the influences, one theta for all variants (Deng et al. 2013). ``NotEstimable`` when
    the evidence is too thin.

    >>> from policies.statistics.sample import comparer
    >>> contrasts(comparer()).values.round(6).tolist()
    [-0.03125, 0.03125]
    """
    metric, fit = comparer.metric, comparer.weighing.fit
    name, covariate = metric.spec.name, metric.covariate
    if isinstance(fit, NotEstimable):
        return NotEstimable(name, fit.reason)
    thin = comparer.thin(fit.variants, fit.units)
    if thin is not None:
        return NotEstimable(name, thin)
    values, pulls = _centred(fit, metric.panel, comparer.combined)
    if covariate is not None and comparer.explaining is not None:
        if ((covariate.clusters.T < 2) & np.any(fit.maps != 0.0, axis=1)).any():
            return NotEstimable(name, "the covariate lacks data in an epoch")
        known, explained = _centred(fit, covariate, comparer.explaining)
        spread = float(np.vdot(explained, explained))
        if spread == 0.0:
            return NotEstimable(name, "the covariate does not vary")
        theta = float(np.vdot(pulls, explained)) / spread
        reach = float(np.abs(fit.maps).sum(axis=(0, 2)).max())
        level = reach * (_largest(metric.panel) + abs(theta) * _largest(covariate))
        values, pulls = values - theta * known, unexplained(pulls, theta * explained, level)
    result = Contrasts(fit.variants, values, pulls @ pulls.T, fit.late)
    off = ~np.eye(len(fit.variants), dtype=bool)
    return NotEstimable(name, "zero variance") if result.between()[off].min() <= 0.0 else result


def _centred(fit: Fit, panel: Panel, combined: Combined) -> tuple[Floats, Floats]:
    """Values (C,) and influences by bucket (C, B), both about their mean over the C variants."""
    total = panel.total.sum(axis=1)
    # The maps leave out what is common to an epoch's means: without it, a large common level loses no digits.
    common = panel.won.sum(axis=1) / np.where(total > 0.0, total, 1.0)
    values = np.einsum("vce,ev->c", fit.maps, panel.level - common[:, None])
    return values - values.mean(), combined.mapped - combined.mapped.mean(axis=0)


def _largest(panel: Panel) -> float:
    return float(np.abs(panel.level).max())
