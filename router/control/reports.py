"""How is an experiment's report made from what Redis holds?"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis

from policies.bandit.bandit import Bandit
from policies.metric import MetricSpec
from policies.policy import UnknownPolicy, UnusablePolicy, find_policy
from policies.statistics.report import AnalysisSettings, report, to_json
from policies.statistics.reporting.bandit import bandit_report
from router.control.evidence import read_evidence
from router.control.standing import standing
from router.experiment_policy import metrics_of
from router.settings import Experiment
from router.state import State
from router.store.plans import read_status


async def report_of(redis: Redis, state: State, name: str, now: float) -> dict[str, Any]:
    """The report of a known experiment, as JSON's types."""
    experiment = state.settings.experiments[name]
    evidence = await read_evidence(redis, name, experiment, now)
    said = standing(state, name, await read_status(redis, name)) if _is_bandit(experiment) else None
    metrics, settings = analysis_of(experiment)
    bandit = None if said is None else bandit_report(said.findings, said.at)
    return await asyncio.to_thread(
        lambda: to_json(replace(report(evidence, metrics, settings, now), bandit=bandit))
    )


def _is_bandit(experiment: Experiment) -> bool:
    try:
        return issubclass(find_policy(str(experiment.policy.get("kind"))), Bandit)
    except (UnknownPolicy, UnusablePolicy):
        return False


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
