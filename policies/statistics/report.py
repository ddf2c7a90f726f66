"""What does an experiment's evidence say, healthy or not, by how much, and is it decided?

The default interval is the always-valid one: a report is looked at every day, and an interval for one look
would be wrong two times in five by then. Health comes first: no effect counts when the split is off.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from policies.metric import MetricSpec
from policies.statistics.evidence import ExperimentEvidence
from policies.statistics.reporting.best import normal_prior
from policies.statistics.reporting.document import to_json
from policies.statistics.reporting.effects import Analysis
from policies.statistics.reporting.health import checks, held, rate_checks, worst
from policies.statistics.reporting.result import Check, Effect, Report, StatedPrior, VariantReport
from policies.statistics.reporting.settings import AnalysisSettings
from policies.statistics.reporting.traffic import Traffic, measure

__all__ = ["AnalysisSettings", "Check", "Effect", "Report", "VariantReport", "report", "to_json"]


def report(
    evidence: ExperimentEvidence,
    metrics: Sequence[MetricSpec],
    settings: AnalysisSettings,
    now: float,
) -> Report:
    """The analysis of an experiment as it stands.

    Args: evidence by epoch, variant and unit bucket; the declared metrics, to which error share, mean
    latencies and latency quantiles are added; the settings, fixed before the start; now, in unix seconds.

    Returns health checks, each variant's own means, and each variant's effect on each metric: stratified by
    epoch, clustered by unit, adjusted over metrics and variants (declared and operational metrics apart).
    What cannot be had is None with its reason. Raises ValueError for metric names that clash, a covariate
    that is not recorded, or evidence of different bucket counts.

    >>> from policies.statistics.sample import CLICKS, evidence
    >>> found = report(evidence(), [CLICKS], AnalysisSettings(n_star=300, minimum_units=50), now=7200.0)
    >>> clicks = found.effects[0]
    >>> found.health, clicks.variant, clicks.difference, clicks.decision
    ('ok', 'b', 0.0625, 'not enough data')
    """
    # Values whose squares overflow are told by what they give, an infinity or NaN, which is no estimate.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return _analysed(Traffic.of(evidence), metrics, settings, now)


def _analysed(
    traffic: Traffic, metrics: Sequence[MetricSpec], settings: AnalysisSettings, now: float
) -> Report:
    evidence = traffic.evidence
    found = checks(traffic, settings)
    analysis = Analysis(traffic, measure(traffic, metrics), settings, held(found), now)
    found = (*found, *rate_checks(analysis.rates, settings))

    weights = traffic.weights[-1] if evidence.epochs else []
    requests = float(traffic.routed.sum())
    return Report(
        experiment=evidence.experiment,
        control=evidence.control,
        computed_at=now,
        settings=settings,
        priors=tuple(
            StatedPrior(spec.name, *normal_prior(spec)) for spec in metrics if spec.prior is not None
        ),
        health=worst(found),
        checks=found,
        immature_share=float(traffic.immature.sum()) / requests if requests else 0.0,
        variants=tuple(
            VariantReport(
                name=name,
                control=v == 0,
                weight=float(weights[v]) if len(weights) else 0.0,
                units=float(traffic.units[:, v].sum()),
                requests=int(traffic.routed[:, v].sum()),
                immature_share=traffic.immature_share(v),
                metrics=analysis.means(v),
                fallback_share=traffic.fallback_share(v),
                capped=traffic.capped(v),
            )
            for v, name in enumerate(traffic.variants)
        ),
        effects=analysis.effects(),
    )
