"""Which effect does each variant have on each metric, as far as the evidence goes?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.metric import MetricSpec, Per
from policies.statistics.health.outcome_rate import Assigned
from policies.statistics.means import Mean
from policies.statistics.reporting.best import Chance, probabilities_best
from policies.statistics.reporting.compare import Difference
from policies.statistics.reporting.comparer import Comparer
from policies.statistics.reporting.epochs import Within, within_epochs
from policies.statistics.reporting.judge import Candidate, judged
from policies.statistics.reporting.latency import Latency, QuantileDifference
from policies.statistics.reporting.result import Effect, MetricMean, Shown
from policies.statistics.reporting.settings import AnalysisSettings
from policies.statistics.reporting.traffic import LATENCIES, QUANTILES, Measured, Traffic
from policies.statistics.reporting.weighing import Weighing
from policies.statistics.result import NotEstimable, Test

_NOT_OF_QUANTILES: Final = NotEstimable("probability to be best", "for declared metrics only")


@dataclass(frozen=True, slots=True)
class _Compared:
    """One metric: by variant its count and mean, its difference (but for the control) and its chance."""

    metric: Measured
    weighing: Weighing
    means: list[tuple[float, Mean | None]]
    differences: list[Difference | NotEstimable]
    best: list[Chance]


class Analysis:
    """One pass over the evidence: what each metric, then each latency, says of every variant.

    ``held`` is why no decision may be taken at all, None when decisions are free; ``now`` in unix seconds.
    """

    def __init__(
        self,
        traffic: Traffic,
        metrics: Iterable[Measured],
        settings: AnalysisSettings,
        held: str | None,
        now: float,
    ) -> None:
        self._traffic, self._settings, self._held = traffic, settings, held
        self._seconds = traffic.seconds(now)
        self._latencies = {name: Latency(traffic, name) for name in LATENCIES}
        self._found: dict[str, list[Effect | Candidate]] = {"declared": [], "operational": []}
        self._means: list[list[MetricMean]] = [[] for _ in traffic.variants]
        self.rates: list[tuple[str, Test | NotEstimable]] = []
        self._assigned = Assigned.of(traffic.requests)
        self._request_weighing = Weighing.of(traffic, traffic.requests, settings)
        compared = [self._compared(metric) for metric in metrics]
        within = within_epochs(traffic, [each.metric.panel for each in compared], settings)
        for each, epochs in zip(compared, within, strict=True):
            self._add(each, epochs)
        self._found["operational"] += self._of_quantiles()

    def effects(self) -> tuple[Effect, ...]:
        """All effects, declared metrics first; each family is adjusted and decided together.

        >>> from policies.statistics.reporting.traffic import measure
        >>> from policies.statistics.sample import CLICKS, evidence
        >>> traffic, settings = Traffic.of(evidence()), AnalysisSettings(minimum_units=50)
        >>> found = Analysis(traffic, measure(traffic, [CLICKS]), settings, None, 7200.0).effects()
        >>> found[0].metric, found[0].difference, len(found)
        ('clicks', 0.0625, 12)
        """
        effects: list[Effect] = []
        for family in self._found.values():
            decided = iter(judged([c for c in family if isinstance(c, Candidate)], self._settings))
            effects += [next(decided) if isinstance(each, Candidate) else each for each in family]
        return tuple(effects)

    def means(self, variant: int) -> tuple[MetricMean, ...]:
        """A variant's own numbers: each metric's mean, then the latencies' quantiles.

        >>> from policies.statistics.reporting.traffic import measure
        >>> from policies.statistics.sample import CLICKS, evidence
        >>> traffic = Traffic.of(evidence())
        >>> found = Analysis(traffic, measure(traffic, [CLICKS]), AnalysisSettings(), None, 7200.0).means(1)
        >>> found[0].metric, found[0].count, found[0].mean
        ('clicks', 1280.0, 0.4375)
        """
        rows = list(self._means[variant])
        count = float(self._traffic.routed[:, variant].sum())
        for name, latency in self._latencies.items():
            for label, q in QUANTILES.items():
                found = latency.of(variant, q, self._settings.alpha)
                if isinstance(found, NotEstimable):
                    rows.append(MetricMean(f"{name}_{label}", count, None))
                else:
                    bounds = found.estimate, None, found.low, found.high
                    rows.append(MetricMean(f"{name}_{label}", count, *bounds))
        return tuple(rows)

    def _compared(self, metric: Measured) -> _Compared:
        """All that is asked of the metric's sums by bucket: the next metric's take their place."""
        traffic, settings, shared = self._traffic, self._settings, self._request_weighing
        weighing = shared if metric.counted is None else Weighing.of(traffic, metric.counted, settings)
        comparer = Comparer(metric, weighing, settings)
        variants = range(len(traffic.variants))
        if metric.counted is not None:
            self.rates.append((metric.spec.name, self._assigned.outcome_rate(metric.counted)))
        return _Compared(
            metric,
            weighing,
            [(comparer.count(v), comparer.mean(v)) for v in variants],
            [comparer.difference(v) for v in variants[1:]],
            probabilities_best(traffic, comparer, self._held),
        )

    def _add(self, compared: _Compared, epochs: Sequence[Within]) -> None:
        metric = compared.metric
        for v, within in enumerate(epochs, start=1):
            self._found[metric.family].append(self._of_mean(compared, v, within))
        for rows, (count, mean), best in zip(self._means, compared.means, compared.best, strict=True):
            value, error = (None, None) if mean is None else (mean.value, sqrt(mean.variance))
            rows.append(MetricMean(metric.spec.name, count, value, error, probability_best=_value(best)))

    def _of_mean(self, compared: _Compared, variant: int, within: Within) -> Effect | Candidate:
        metric, found, best = compared.metric, compared.differences[variant - 1], compared.best[variant]
        spec, name, settings = metric.spec, self._traffic.variants[variant], self._settings
        if isinstance(found, NotEstimable):
            return self._unknown(spec.name, name, metric.family, found, best)
        reason, slack = self._held, 0.0
        if metric.family == "declared":
            late, slack = self._immaturity(spec.per, compared.weighing, found, variant)
            reason = self._held or late
        effect = Effect(
            metric=spec.name,
            variant=name,
            family=metric.family,
            decision="not enough data",
            reason=None,
            units=found.n,
            units_needed=None,
            control_mean=found.a.value,
            variant_mean=found.b.value,
            difference=found.value,
            standard_error=sqrt(found.variance),
            shown=self._shown(found.n),
            always_valid=found.always_valid(settings),
            fixed=found.fixed(settings.alpha),
            lift=found.lift(settings),
            non_inferior=self._non_inferior(spec, found, slack) if reason is None else None,
            covariate=spec.covariate,
            variance_reduction=found.variance_reduction,
            heterogeneity_p=within[1],
            maturity_slack=slack,
            probability_best=_value(best),
            probability_best_reason=_reason(best),
            epochs=within[0],
            epochs_left_out=self._left_out(found.kept),
        )
        per_day = self._traffic.units_per_day(variant, found.kept, self._seconds)
        return Candidate(spec, effect, partial(found.always_valid, settings), reason, per_day)

    def _of_quantiles(self) -> Iterator[Effect | Candidate]:
        for latency_name, latency in self._latencies.items():
            for label in QUANTILES:
                for v, name in enumerate(self._traffic.variants[1:], start=1):
                    spec = MetricSpec(f"{latency_name}_{label}", "mean", "decrease", "request")
                    found = latency.difference(v, label, self._settings)
                    if isinstance(found, NotEstimable):
                        yield self._unknown(spec.name, name, "operational", found, _NOT_OF_QUANTILES)
                    else:
                        yield self._quantile(spec, v, found)

    def _quantile(self, spec: MetricSpec, variant: int, found: QuantileDifference) -> Candidate:
        settings = self._settings
        effect = Effect(
            metric=spec.name,
            variant=self._traffic.variants[variant],
            family="operational",
            decision="not enough data",
            reason=None,
            units=found.n,
            units_needed=None,
            control_mean=found.control,
            variant_mean=found.variant,
            difference=found.value,
            shown=self._shown(found.n),
            always_valid=found.always_valid(settings),
            fixed=found.one_look,
            probability_best_reason=_NOT_OF_QUANTILES.reason,
            epochs_left_out=self._left_out(found.kept),
        )
        per_day = self._traffic.units_per_day(variant, found.kept, self._seconds)
        return Candidate(spec, effect, partial(found.always_valid, settings), self._held, per_day)

    def _unknown(self, metric: str, variant: str, family: str, found: NotEstimable, best: Chance) -> Effect:
        reason = self._held or found.reason
        return Effect(
            metric=metric,
            variant=variant,
            family="declared" if family == "declared" else "operational",
            decision="not enough data",
            reason=reason,
            units=0.0,
            units_needed=None,
            probability_best=_value(best),
            probability_best_reason=_reason(best),
            days_left_reason=reason,
        )

    @staticmethod
    def _immaturity(
        per: Per, weighing: Weighing, found: Difference, variant: int
    ) -> tuple[str | None, float]:
        """Why immature traffic forbids a decision, and how far it could move a per-request difference.

        A request whose outcome is still out counts as 0, so a variant whose outcomes come sooner looks
        better. At worst one variant has all of its outcomes and the immature requests of the other none:
        the other's true mean is then up to m / (1 - s), with s its immature share.
        """
        slack, row = 0.0, weighing.pair[variant]
        reason = weighing.late[variant]
        if reason is not None:
            return reason, 0.0
        for v, mean in ((0, found.a), (variant, found.b)):
            if per == "request":
                late = weighing.immature[v][row]
                slack = max(slack, abs(mean.value) * late / (1.0 - late) if late < 1.0 else inf)
        return None, slack

    def _non_inferior(self, spec: MetricSpec, found: Difference, slack: float) -> bool | None:
        if spec.margin is None:
            return None
        return found.bound(self._settings, spec.sign) - slack > -spec.margin

    def _shown(self, n: float) -> Shown:
        """``fixed`` at the first looks from the planned size on, ``always_valid`` before and long after."""
        planned = self._settings.planned_units
        return "fixed" if planned is not None and planned <= n <= 1.1 * planned else "always_valid"

    def _left_out(self, kept: NDArray[np.bool_]) -> tuple[int, ...]:
        return tuple(self._traffic.evidence.epochs[e].number for e in np.flatnonzero(~kept))


def _value(chance: Chance) -> float | None:
    return None if isinstance(chance, NotEstimable) else chance


def _reason(chance: Chance) -> str | None:
    return chance.reason if isinstance(chance, NotEstimable) else None
