"""How is an experiment's report made from what Redis holds?"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis

from policies.metric import MetricSpec
from policies.statistics.report import AnalysisSettings, report, to_json
from router.control.evidence import read_evidence
from router.experiment_policy import metrics_of
from router.settings import Experiment
from router.state import State


async def report_of(redis: Redis, state: State, name: str, now: float) -> dict[str, Any]:
    """The report of a known experiment, as JSON's types."""
    experiment = state.settings.experiments[name]
    evidence = await read_evidence(redis, name, experiment, now)
    metrics, settings = analysis_of(experiment)
    return await asyncio.to_thread(lambda: to_json(report(evidence, metrics, settings, now)))


def analysis_of(experiment: Experiment) -> tuple[list[MetricSpec], AnalysisSettings]:
    """The metrics and the settings of the analysis, as the statistics take them."""
    analysis = experiment.analysis
    return list(metrics_of(experiment)), AnalysisSettings(
        alpha=analysis.alpha,
        n_star=analysis.tuning_units,
        planned_units=analysis.planned_units,
        srm_alpha=analysis.srm_alpha,
        multiplicity=analysis.multiplicity,
        weighting=analysis.weighting,
        max_immature_share=analysis.max_immature_share,
    )
