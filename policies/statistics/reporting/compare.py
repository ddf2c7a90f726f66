"""How far is a variant from the control in one metric, over epochs, before anything is judged?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from policies.statistics.always_valid import asymptotic
from policies.statistics.kernel import critical, normalised, oriented, studentised, two_sided, welch_df
from policies.statistics.lift.fieller import fieller_set
from policies.statistics.means import Mean
from policies.statistics.planning.design import AlwaysValid
from policies.statistics.reporting.result import EpochEffects, Interval, Lift
from policies.statistics.reporting.settings import AnalysisSettings
from policies.statistics.reporting.traffic import Measured, Traffic
from policies.statistics.result import NotEstimable
from policies.statistics.strata.clustered import Panel
from policies.statistics.strata.inverse_variance import combined
from policies.statistics.strata.stratified import NONE_USABLE

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """Variant ``b`` minus control ``a``, their covariance, and what the intervals need.

    ``n`` is the units of both behind the metric, ``df`` Welch's degrees of freedom. ``b.value - a.value`` is
    the difference; for a metric with a covariate, after adjustment.
    """

    a: Mean
    b: Mean
    covariance: float
    df: float
    n: float
    kept: NDArray[np.bool_]
    variance_reduction: float | None

    @property
    def value(self) -> float:
        """Variant minus control, in the metric's unit."""
        return self.b.value - self.a.value

    @property
    def variance(self) -> float:
        """Of the difference, clustered by unit over all epochs."""
        return self.a.variance + self.b.variance - 2.0 * self.covariance

    def fixed(self, alpha: float) -> Interval:
        """The interval for one look."""
        error = sqrt(self.variance)
        width = critical(alpha, self.df) * error
        p_value = two_sided(self.value / error, self.df)
        return Interval(self.value - width, self.value + width, 1.0 - alpha, p_value)

    def always_valid(self, settings: AnalysisSettings, alpha: float | None = None) -> Interval:
        """The interval for any number of looks, at another alpha if need be.

        The confidence sequence's quantile is taken over to Student's t with Welch's degrees of freedom, since
        the variance comes from as many clusters only. The mixture stays tuned for ``settings.alpha``
        whatever the level: its p-value does not depend on the level, and each interval leaves out zero
        exactly when that p-value is below its own alpha.
        """
        level = settings.alpha if alpha is None else alpha
        error = sqrt(self.variance)
        width = studentised(quantile(self.n, settings, level), self.df) * error
        z = normalised(self.value / error, self.df)
        p_value = asymptotic.p_value(z, self.n, settings.alpha, settings.n_star)
        return Interval(self.value - width, self.value + width, 1.0 - level, p_value)

    def bound(self, settings: AnalysisSettings, sign: int) -> float:
        """The one-sided always-valid lower bound of the difference with better upwards (a guardrail's)."""
        one_sided = asymptotic.critical_value(self.n, settings.alpha, settings.n_star, sides=1)
        return oriented(sign, self.value) - studentised(one_sided, self.df) * sqrt(self.variance)

    def lift(self, settings: AnalysisSettings) -> Lift | None:
        """The always-valid relative difference; None when the control's mean is zero."""
        if self.a.value == 0.0:
            return None
        q = studentised(quantile(self.n, settings, settings.alpha), self.df)
        found = fieller_set(self.a.value, self.b.value, self.a.variance, self.b.variance, self.covariance, q)
        bounds = (found.low, found.high) if found.shape == "bounded" else (-inf, inf)
        return Lift(self.value / abs(self.a.value), *bounds, found.shape)


def quantile(n: float, settings: AnalysisSettings, alpha: float) -> float:
    """The always-valid critical value at n units and level alpha, tuned once for ``settings.alpha``."""
    return asymptotic.critical_value(n, alpha, _tuning(settings.n_star, settings.alpha, alpha))


def quantiles(n: Floats, df: Floats, settings: AnalysisSettings) -> Floats:
    """``studentised(quantile(n, settings, settings.alpha), df)`` for many n > 0 and df at once."""
    x = n * asymptotic.rho(settings.alpha, settings.n_star) ** 2
    normal = np.sqrt((x + 1.0) / x * (np.log(x + 1.0) - 2.0 * log(settings.alpha)))
    student: Floats = -stdtrit(df, ndtr(-normal))
    return student


def design(settings: AnalysisSettings, alpha: float) -> AlwaysValid:
    """The design whose critical value is ``quantile``'s."""
    return AlwaysValid(alpha, _tuning(settings.n_star, settings.alpha, alpha))


@cache
def _tuning(n_star: float, tuned: float, alpha: float) -> float:
    """The n_star that gives the mixture at level alpha the rho it has at level ``tuned``."""
    return n_star * asymptotic.optimum(alpha) / asymptotic.optimum(tuned)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two variants' means over the same epochs, with their influence by bucket, (B,) each.

    ``means`` and ``pulls`` are after adjustment, ``plain`` before; ``n`` is the units of both.
    """

    means: Sequence[Mean]
    pulls: Sequence[Floats]
    plain: Sequence[Floats]
    n: float
    kept: NDArray[np.bool_]


class Comparer:
    """Compares variants with the control in one metric, keeping each variant's mean over the same epochs."""

    def __init__(self, traffic: Traffic, metric: Measured, settings: AnalysisSettings) -> None:
        self._traffic, self._metric, self._settings = traffic, metric, settings
        self._size = metric.panel.total.sum(axis=1)
        self._combined: dict[tuple[int, bytes], tuple[Mean, Floats]] = {}
        self._within: list[tuple[EpochEffects, float | None]] | None = None

    def weights(self, kept: NDArray[np.bool_], variants: Sequence[int] = ()) -> Floats:
        """The epochs' weights (E,): by the traffic of all variants, or by the precision of these (CMH)."""
        size = self._size
        if self._settings.weighting == "cmh" and variants:
            total = self._metric.panel.total[:, variants]
            size = kept / np.where(kept[:, None], 1.0 / np.where(total > 0.0, total, 1.0), 1.0).sum(axis=1)
        inside = np.where(kept, size, 0.0)
        weights: Floats = inside / inside.sum()
        return weights

    def combine(self, panel: Panel, variant: int, weights: Floats) -> tuple[Mean, Floats]:
        """A variant's mean over epochs and its influence by bucket; the metric's own are remembered."""
        if panel is not self._metric.panel:
            return panel.combine(variant, weights)
        key = (variant, weights.tobytes())
        if key not in self._combined:
            self._combined[key] = panel.combine(variant, weights)
        return self._combined[key]

    def mean(self, variant: int) -> Mean | None:
        """A variant's own mean over all epochs in which its variance is known."""
        kept = self._metric.panel.clusters[:, variant] > 1
        return self.combine(self._metric.panel, variant, self.weights(kept))[0] if kept.any() else None

    def difference(self, variant: int) -> Difference | NotEstimable:
        """Variant against control; ``NotEstimable`` with the reason when the evidence is too thin."""
        found = self._pair((0, variant))
        if isinstance(found, NotEstimable):
            return found
        (a, b), (pull_a, pull_b) = found.means, found.pulls
        covariance = float(pull_a @ pull_b)
        if a.variance + b.variance - 2.0 * covariance <= 0.0:
            return NotEstimable(self._metric.spec.name, "zero variance")
        reduction = None
        if self._metric.covariate is not None:
            before, after = found.plain[0] - found.plain[1], pull_a - pull_b
            total = float(before @ before)
            reduction = 1.0 - float(after @ after) / total if total else 0.0
        df = welch_df(a.variance, a.df, b.variance, b.df)
        return Difference(a, b, covariance, df, found.n, found.kept, reduction)

    def thin(self, variants: Sequence[int], kept: NDArray[np.bool_]) -> str | None:
        """Why these variants' means over the kept epochs are not to be compared: too few units or events."""
        panel, settings = self._metric.panel, self._settings
        if min(self._units(variants, kept)) < settings.minimum_units:
            return f"a variant has fewer than {settings.minimum_units} units"
        events = float(panel.won[:, variants].sum())
        misses = float(panel.total[:, variants].sum()) - events
        if self._metric.spec.kind == "binary" and min(events, misses) < settings.minimum_events:
            return f"fewer than {settings.minimum_events} successes or failures"
        return None

    def _units(self, variants: Sequence[int], kept: NDArray[np.bool_]) -> list[float]:
        """The units behind each variant's mean over the kept epochs: no more than it has outcomes."""
        units, total = (
            each[kept][:, variants].sum(axis=0) for each in (self._traffic.units, self._metric.panel.total)
        )
        found: list[float] = np.minimum(units, total).tolist()
        return found

    def _pair(self, variants: Sequence[int]) -> Pair | NotEstimable:
        """The means of two variants over the epochs that both have, adjusted alike."""
        panel, name = self._metric.panel, self._metric.spec.name
        kept = np.all(panel.clusters[:, variants] > 1, axis=1)
        if not kept.any():
            return NotEstimable(name, NONE_USABLE)
        thin = self.thin(variants, kept)
        if thin is not None:
            return NotEstimable(name, thin)
        weights = self.weights(kept, variants)
        found = [self.combine(panel, v, weights) for v in variants]
        plain = [pull for _, pull in found]
        if self._metric.covariate is not None:
            adjusted = self._adjusted(self._metric.covariate, variants, weights, found)
            if isinstance(adjusted, NotEstimable):
                return adjusted
            found = adjusted
        n = sum(self._units(variants, kept))
        return Pair([mean for mean, _ in found], [pull for _, pull in found], plain, n, kept)

    def _adjusted(
        self,
        covariate: Panel,
        variants: Sequence[int],
        weights: Floats,
        ys: Sequence[tuple[Mean, Floats]],
    ) -> list[tuple[Mean, Floats]] | NotEstimable:
        """CUPED on the linearised bucket values, one theta for all variants (Deng et al. 2013)."""
        inside = weights > 0
        if not (covariate.clusters[inside][:, variants] > 1).all():
            return NotEstimable(self._metric.spec.name, "the covariate lacks data in an epoch")
        xs = [self.combine(covariate, v, weights) for v in variants]
        spread = sum(float(pull @ pull) for _, pull in xs)
        if spread == 0.0:
            return NotEstimable(self._metric.spec.name, "the covariate does not vary")
        theta = sum(float(y[1] @ x[1]) for y, x in zip(ys, xs, strict=True)) / spread
        sizes = covariate.total[inside][:, variants].sum(axis=0)
        centre = float(sizes @ [x.value for x, _ in xs]) / float(sizes.sum())
        moved = []
        for (mean, pull), (x, pull_x) in zip(ys, xs, strict=True):
            left = pull - theta * pull_x
            moved.append(
                (Mean(mean.value - theta * (x.value - centre), float(left @ left), mean.df, mean.n), left)
            )
        return moved

    def by_epoch(self, variant: int) -> tuple[EpochEffects, float | None]:
        """The difference within each epoch that has both, unadjusted, and Cochran's Q p-value over them."""
        if self._within is None:
            self._within = self._by_epoch()
        return self._within[variant - 1]

    def _by_epoch(self) -> list[tuple[EpochEffects, float | None]]:
        """All variants in one go, as arrays (V - 1, E)."""
        panel, traffic = self._metric.panel, self._traffic
        numbers = np.array([epoch.number for epoch in traffic.evidence.epochs], np.int64)
        kept = ((panel.clusters > 1) & (panel.clusters[:, :1] > 1)).T[1:]
        variances = (panel.variance[:, :1] + panel.variance - 2.0 * panel.cross).T[1:]
        errors = np.sqrt(np.maximum(variances, 0.0))
        values = (panel.mean - panel.mean[:, :1]).T[1:]
        counts = np.minimum(traffic.units, panel.total)
        smaller, n = np.minimum(counts, counts[:, :1]).T[1:], (counts + counts[:, :1]).T[1:]
        df = np.minimum(panel.clusters, panel.clusters[:, :1]).T[1:] - 1.0
        enough = kept & (smaller >= self._settings.minimum_units) & (errors > 0.0)

        factors = quantiles(np.where(enough, n, 1.0), np.where(enough, df, 1.0), self._settings)
        widths = np.where(enough, factors, 0.0) * errors
        lows, highs = values - widths, values + widths
        rows = []
        for v, here in enumerate(kept):
            columns: list[list[Any]] = [
                column[here].tolist() for column in (numbers, values[v], errors[v], lows[v], highs[v])
            ]
            for place in np.flatnonzero(~enough[v][here]).tolist():
                columns[3][place] = columns[4][place] = None
            rows.append(EpochEffects(*map(tuple, columns)))
        comparable = np.count_nonzero(enough, axis=1) > 1
        p_values: list[float | None] = [None] * len(rows)
        if comparable.any():
            precision = np.divide(1.0, variances, out=np.zeros_like(variances), where=enough)[comparable]
            disagree = combined(np.where(enough, values, 0.0)[comparable], precision)[3]
            for place, p_value in zip(np.flatnonzero(comparable).tolist(), disagree.tolist(), strict=True):
                p_values[place] = p_value
        return list(zip(rows, p_values, strict=True))
