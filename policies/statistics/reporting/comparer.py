"""How far is a variant from the control in one metric, over epochs, before anything is judged?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from policies.statistics.evidence import ROUNDING
from policies.statistics.kernel import welch_df
from policies.statistics.means import Mean
from policies.statistics.reporting.compare import Difference
from policies.statistics.reporting.settings import AnalysisSettings
from policies.statistics.reporting.traffic import Measured
from policies.statistics.reporting.weighing import Weighing
from policies.statistics.result import NotEstimable
from policies.statistics.strata.clustered import LARGEST, Combined
from policies.statistics.strata.stratified import NONE_USABLE

Floats = NDArray[np.float64]
Pulled = tuple[Mean, Floats]


class Comparer:
    """One metric's means over epochs, of all variants and in every weighting that is needed, made at once."""

    def __init__(self, metric: Measured, weighing: Weighing, settings: AnalysisSettings) -> None:
        self.metric, self.weighing, self._settings = metric, weighing, settings
        fit = weighing.fit
        maps = None if isinstance(fit, NotEstimable) or metric.family != "declared" else fit.maps
        self.combined = metric.panel.combine(weighing.weights, maps)
        self.explaining = (
            None if metric.covariate is None else metric.covariate.combine(weighing.weights, maps)
        )
        self._measurable = metric.panel.measurable.all() and (
            metric.covariate is None or metric.covariate.measurable.all()
        )
        self._won, self._total = (
            each.sum(axis=0).tolist() for each in (metric.panel.won, metric.panel.total)
        )

    def mean(self, variant: int) -> Mean | None:
        """A variant's own mean over all epochs in which its variance is known.

        In the metric's unit.

        >>> from policies.statistics.sample import comparer
        >>> comparer().mean(1).value
        0.4375
        """
        row = self.weighing.own[variant]
        return None if row < 0 else self._pulled(self.combined, variant, row)[0]

    def count(self, variant: int) -> float:
        """The outcomes or requests of a variant, in all epochs.

        >>> from policies.statistics.sample import comparer
        >>> comparer().count(1)
        1280.0
        """
        found: float = self._total[variant]
        return found

    def difference(self, variant: int) -> Difference | NotEstimable:
        """Variant against control; ``NotEstimable`` with the reason when the evidence is too thin.

        Raises nothing. Source: Cochran (1954); with a covariate Deng et al. (2013).

        >>> from policies.statistics.sample import comparer
        >>> round(comparer().difference(1).value, 9)
        0.0625
        """
        name, row, pair = self.metric.spec.name, self.weighing.pair[variant], (0, variant)
        if row < 0:
            return NotEstimable(name, NONE_USABLE)
        units = [self.weighing.units[v][row] for v in pair]
        thin = self.thin(pair, units)
        if thin is not None:
            return NotEstimable(name, thin)
        plain = found = [self._pulled(self.combined, v, row) for v in pair]
        if self.explaining is not None:
            adjusted = self._adjusted(self.explaining, pair, row, plain)
            if isinstance(adjusted, NotEstimable):
                return adjusted
            found = adjusted
        (a, pull_a), (b, pull_b) = found
        covariance = float(pull_a @ pull_b)
        if a.variance + b.variance - 2.0 * covariance <= 0.0:
            return NotEstimable(name, "zero variance")
        reduction = None
        if self.explaining is not None:
            before, after = plain[0][1] - plain[1][1], pull_a - pull_b
            total = float(before @ before)
            reduction = 1.0 - float(after @ after) / total if total else 0.0
        df = welch_df(a.variance, a.df, b.variance, b.df)
        return Difference(a, b, covariance, df, sum(units), self.weighing.kept[row], reduction)

    def thin(self, variants: Sequence[int], units: Sequence[float]) -> str | None:
        """Why these variants' means, of so many units, are not to be compared: too few or too large.

        >>> from policies.statistics.sample import comparer
        >>> comparer().thin((0, 1), [49.0, 200.0])
        'a variant has fewer than 50 units'
        """
        settings = self._settings
        if not self._measurable:
            return f"values above {LARGEST:g} are too large to be squared and compared"
        if min(units) < settings.minimum_units:
            return f"a variant has fewer than {settings.minimum_units} units"
        if self.metric.spec.kind == "binary":
            events = sum(self._won[v] for v in variants)
            misses = sum(self._total[v] for v in variants) - events
            if min(events, misses) < settings.minimum_events:
                return f"fewer than {settings.minimum_events} successes or failures"
        return None

    def _pulled(self, combined: Combined, variant: int, row: int) -> Pulled:
        """A variant's mean in one weighting, and its influence by bucket (B,)."""
        clusters = self.weighing.clusters[variant][row]
        value, variance = float(combined.value[variant, row]), float(combined.variance[variant, row])
        return Mean(value, variance, clusters - 1.0, clusters), combined.influence[variant, row]

    def _adjusted(
        self, explaining: Combined, variants: Sequence[int], row: int, ys: Sequence[Pulled]
    ) -> list[Pulled] | NotEstimable:
        """CUPED on the linearised bucket values, one theta for all variants (Deng et al. 2013)."""
        covariate, inside, chosen = self.metric.covariate, self.weighing.kept[row], list(variants)
        assert covariate is not None
        if not (covariate.clusters[inside][:, chosen] > 1).all():
            return NotEstimable(self.metric.spec.name, "the covariate lacks data in an epoch")
        xs = [(float(explaining.value[v, row]), explaining.influence[v, row]) for v in chosen]
        spread = sum(float(pull @ pull) for _, pull in xs)
        if spread == 0.0:
            return NotEstimable(self.metric.spec.name, "the covariate does not vary")
        theta = sum(float(y[1] @ x[1]) for y, x in zip(ys, xs, strict=True)) / spread
        # Sums of weights are 1, so no mean over epochs is larger than the largest of one epoch.
        largest, explained = (
            float(np.abs(panel.level[inside][:, chosen]).max()) for panel in (self.metric.panel, covariate)
        )
        sizes = covariate.total[inside][:, chosen].sum(axis=0)
        centre = float(sizes @ [value for value, _ in xs]) / float(sizes.sum())
        moved = []
        for (mean, pull), (value, pull_x) in zip(ys, xs, strict=True):
            left = unexplained(pull, theta * pull_x, largest + abs(theta) * explained)
            shifted = mean.value - theta * (value - centre)
            moved.append((Mean(shifted, float(left @ left), mean.df, mean.n), left))
        return moved


def unexplained(pull: Floats, explained: Floats, level: float) -> Floats:
    """What a covariate leaves of influences (..., B): of one that explains all only rounding is left, so 0.

    ``level`` is how large the means were, both together, about which the influences were taken.

    >>> unexplained(np.array([0.1, -0.1]), np.array([0.1 + 1e-17, -0.1]), 1.0).tolist()
    [0.0, 0.0]
    """
    left: Floats = pull - explained
    scale = level + np.linalg.norm(pull, axis=-1) + np.linalg.norm(explained, axis=-1)
    left[np.linalg.norm(left, axis=-1) <= ROUNDING * scale] = 0.0
    return left
