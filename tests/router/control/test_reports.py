"""Does the analysis follow what is configured, and the report what was posted?"""

from __future__ import annotations

import numpy as np
import pytest
from redis.asyncio import Redis

from policies.statistics.report import AnalysisSettings
from router.control.reports import analysis_of, report_of
from router.settings import Analysis, Backend, Experiment, Metric, Settings, UnitSource, Variant
from router.state import Epoch, State
from router.store.states import record_epoch
from tests.router.control.posting import post

NOW = 1_700_000_000.0
VARIANTS = ("champion", "challenger")
UNITS = 2048
ANALYSIS = Analysis(
    alpha=0.01,
    planned_units=5000,
    tuning_units=3000,
    srm_alpha=0.002,
    multiplicity="benjamini_hochberg",
    weighting="cmh",
    max_immature_share=0.2,
)
EXPERIMENT = Experiment(
    unit=(UnitSource(header="x-user-id"),),
    variants={name: Variant(backend=name, weight=1) for name in VARIANTS},
    control="champion",
    metrics=(
        Metric(name="revenue", kind="mean", goal="decrease", cap=80, covariate="earlier"),
        Metric(name="earlier", kind="mean"),
    ),
    analysis=ANALYSIS,
)
STATE = State(
    version=1,
    settings=Settings(
        backends={name: Backend(url="http://127.0.0.1:1") for name in VARIANTS},
        routes=(),
        experiments={"ranker": EXPERIMENT},
    ),
    epochs={},
    key=b"k" * 32,
)


def test_every_setting_of_the_analysis_is_the_configured_one() -> None:
    (revenue, _), settings = analysis_of(EXPERIMENT)
    assert (revenue.goal, revenue.cap, revenue.covariate) == ("decrease", 80, "earlier")
    assert settings == AnalysisSettings(
        alpha=0.01,
        n_star=3000,
        planned_units=5000,
        srm_alpha=0.002,
        multiplicity="benjamini_hochberg",
        weighting="cmh",
        max_immature_share=0.2,
    )


def test_the_defaults_of_both_are_the_same() -> None:
    plain = Experiment(unit=EXPERIMENT.unit, variants=EXPERIMENT.variants, control="champion")
    assert analysis_of(plain) == ([], AnalysisSettings())


async def test_a_covariate_that_nothing_was_posted_of_is_said_to_lack(redis: Redis) -> None:
    assert (await report_of(redis, STATE, "ranker", NOW))["effects"] == []


@pytest.mark.parametrize("explains", [True, False])
async def test_what_was_settled_before_takes_variance_out(redis: Redis, explains: bool) -> None:
    rng = np.random.default_rng(5)
    weights = dict.fromkeys(VARIANTS, 1.0)
    await record_epoch(redis, "ranker", Epoch(number=1, started=NOW, salt="s", weights=weights, why=""))
    values = {}
    for variant in VARIANTS:
        earlier = rng.normal(10.0, 3.0, UNITS)
        revenue = (earlier if explains else rng.normal(10.0, 3.0, UNITS)) + rng.normal(0.0, 1.0, UNITS)
        values[variant] = {"earlier": earlier, "revenue": revenue}
    await post(redis, values)
    effect = (await report_of(redis, STATE, "ranker", NOW + 1e7))["effects"][0]
    assert (effect["metric"], effect["covariate"]) == ("revenue", "earlier")
    assert effect["variance_reduction"] == pytest.approx(0.9 if explains else 0.0, abs=0.03)
