"""Which effect does each variant have on each metric, as far as the evidence goes?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from policies.metric import MetricSpec
from policies.statistics.reporting.compare import Comparer, Difference
from policies.statistics.reporting.judge import Candidate, judged
from policies.statistics.reporting.latency import Latency, QuantileDifference
from policies.statistics.reporting.result import Effect, MetricMean, Shown
from policies.statistics.reporting.settings import AnalysisSettings
from policies.statistics.reporting.traffic import LATENCIES, QUANTILES, Measured, Traffic
from policies.statistics.result import NotEstimable


class Analysis:
    """One pass over the evidence: a comparer for each metric, the histograms of each latency."""

    def __init__(self, traffic: Traffic, metrics: Sequence[Measured], settings: AnalysisSettings) -> None:
        self._traffic, self._settings = traffic, settings
        self._comparers = [(metric, Comparer(traffic, metric, settings)) for metric in metrics]
        self._latencies = {name: Latency(traffic, name) for name in LATENCIES}

    def effects(self, held: str | None) -> tuple[Effect, ...]:
        """All effects, declared metrics first; each family is adjusted and decided together.

        ``held`` is why no decision may be taken at all, None when decisions are free.
        """
        found: dict[str, list[Effect | Candidate]] = {"declared": [], "operational": []}
        for metric, comparer in self._comparers:
            found[metric.family] += [
                self._of_mean(metric, comparer, variant, held)
                for variant in range(1, len(self._traffic.variants))
            ]
        found["operational"] += self._of_quantiles(held)
        effects: list[Effect] = []
        for family in found.values():
            decided = iter(judged([c for c in family if isinstance(c, Candidate)], self._settings))
            effects += [next(decided) if isinstance(each, Candidate) else each for each in family]
        return tuple(effects)

    def means(self, variant: int) -> tuple[MetricMean, ...]:
        """A variant's own numbers: each metric's mean, then the latencies' quantiles."""
        rows = []
        for metric, comparer in self._comparers:
            count, mean = float(metric.panel.total[:, variant].sum()), comparer.mean(variant)
            value, error = (None, None) if mean is None else (mean.value, sqrt(mean.variance))
            rows.append(MetricMean(metric.spec.name, count, value, error))
        count = float(self._traffic.requests[:, variant].sum())
        for name, latency in self._latencies.items():
            for label, q in QUANTILES.items():
                found = latency.of(variant, q, self._settings.alpha)
                bounds = (
                    (None,) * 3
                    if isinstance(found, NotEstimable)
                    else (found.estimate, found.low, found.high)
                )
                rows.append(MetricMean(f"{name}_{label}", count, bounds[0], None, bounds[1], bounds[2]))
        return tuple(rows)

    def _of_mean(
        self, metric: Measured, comparer: Comparer, variant: int, held: str | None
    ) -> Effect | Candidate:
        spec, name, settings = metric.spec, self._traffic.variants[variant], self._settings
        found = comparer.difference(variant)
        if isinstance(found, NotEstimable):
            return self._unknown(spec.name, name, metric.family, found, held)
        reason, slack = held, 0.0
        if metric.family == "declared":
            late, slack = self._immaturity(metric, found, variant)
            reason = held or late
        epochs, heterogeneity = comparer.by_epoch(variant)
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
            heterogeneity_p=heterogeneity,
            maturity_slack=slack,
            epochs=epochs,
            epochs_left_out=self._left_out(found.kept),
        )
        return Candidate(spec, effect, partial(found.always_valid, settings), reason)

    def _of_quantiles(self, held: str | None) -> Iterator[Effect | Candidate]:
        for latency_name, latency in self._latencies.items():
            for label in QUANTILES:
                for v, name in enumerate(self._traffic.variants[1:], start=1):
                    spec = MetricSpec(f"{latency_name}_{label}", "mean", "decrease", "request")
                    found = latency.difference(v, label, self._settings)
                    if isinstance(found, NotEstimable):
                        yield self._unknown(spec.name, name, "operational", found, held)
                    else:
                        yield self._quantile(spec, name, found, held)

    def _quantile(
        self, spec: MetricSpec, name: str, found: QuantileDifference, held: str | None
    ) -> Candidate:
        settings = self._settings
        effect = Effect(
            metric=spec.name,
            variant=name,
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
            epochs_left_out=self._left_out(found.kept),
        )
        return Candidate(spec, effect, partial(found.always_valid, settings), held)

    def _unknown(
        self, metric: str, variant: str, family: str, found: NotEstimable, held: str | None
    ) -> Effect:
        return Effect(
            metric=metric,
            variant=variant,
            family="declared" if family == "declared" else "operational",
            decision="not enough data",
            reason=held or found.reason,
            units=0.0,
            units_needed=None,
        )

    def _immaturity(self, metric: Measured, found: Difference, variant: int) -> tuple[str | None, float]:
        """Why immature traffic forbids a decision, and how far it could move a per-request difference.

        A request whose outcome is still out counts as 0, so a variant whose outcomes come sooner looks
        better. At worst one variant has all of its outcomes and the immature requests of the other none:
        the other's true mean is then up to m / (1 - s), with s its immature share.
        """
        traffic, slack = self._traffic, 0.0
        for v, mean in ((0, found.a), (variant, found.b)):
            requests = float(traffic.requests[found.kept, v].sum())
            late = float(traffic.immature[found.kept, v].sum()) / requests if requests else 0.0
            if late > self._settings.max_immature_share:
                return f"{late:.0%} of the requests of {traffic.variants[v]} are not mature yet", 0.0
            if metric.spec.per == "request":
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
