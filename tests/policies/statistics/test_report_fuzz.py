"""Has the report an answer, and a valid document, for whatever traffic there may be?

Tiny, odd and degenerate traffic: no unit or three, one bucket, variants in which all is zero, huge values,
weights of 0, epochs without traffic, one variant or six.
"""

from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import policies.statistics
from policies.latency_cells import CELLS
from policies.metric import BetaPrior, MetricSpec, NormalPrior
from policies.statistics.evidence import BucketSums, EpochEvidence, ExperimentEvidence, VariantEvidence
from policies.statistics.multiplicity.levels import LEVELLED
from policies.statistics.report import AnalysisSettings, Report, report, to_json
from policies.statistics.reporting.result import EpochEffects

SCHEMA = json.loads((Path(policies.statistics.__path__[0]) / "report_schema.json").read_text())
errors = runpy.run_path(str(Path(__file__).parent / "schema.py"))["errors"]

METRICS = (
    MetricSpec("won", "binary", per="outcome", margin=0.02, prior=BetaPrior(2.0, 5.0)),
    MetricSpec("clicks", "binary", "decrease", per="request"),
    MetricSpec("value", "mean", per="outcome", covariate="before", prior=NormalPrior(3.0, 2.0)),
    MetricSpec("spent", "mean", per="request", margin=1e9, covariate="before"),
)
OUTCOMES = ("won", "clicks", "value", "spent", "before")
SCALES = st.sampled_from([0.0, 0.1, 1.0, 1e-320, 1e-160, 1e12, 1e160, 1e300])
SETTINGS = st.builds(
    AnalysisSettings,
    alpha=st.sampled_from([1e-9, 0.05, 0.9]),
    n_star=st.sampled_from([1e-3, 50.0, 10_000, 1e15]),
    planned_units=st.sampled_from([None, 2, 1000]),
    srm_concentration=st.sampled_from([1.0, 1e4]),
    multiplicity=st.sampled_from(sorted(LEVELLED)),
    weighting=st.sampled_from(["traffic", "cmh"]),
    minimum_units=st.sampled_from([1, 2, 3, 100]),
    minimum_events=st.sampled_from([0, 1, 10]),
    max_immature_share=st.sampled_from([0.0, 0.05, 1.0]),
)


@st.composite
def variants(draw: st.DrawFn, buckets: int, groups: int) -> VariantEvidence:
    """What a variant may have done: often next to nothing, now and then a lot."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    most = draw(st.sampled_from([0, 1, 3, 50, 10**6]))
    requests = rng.integers(0, most + 1, buckets) * rng.integers(0, 2, buckets)
    counted = requests if draw(st.booleans()) else rng.integers(0, requests + 1)
    binary = rng.integers(0, counted + 1) if draw(st.booleans()) else counted * draw(st.integers(0, 1))
    scale = draw(SCALES)
    values = counted * scale * (rng.choice([-1.0, 1.0, 1.0], buckets) if draw(st.booleans()) else 1.0)
    latency = requests * draw(SCALES) * rng.random(buckets)
    histogram = np.zeros((groups, CELLS), np.int64)
    for cell in draw(st.lists(st.sampled_from([0, 1, 250, CELLS - 2, CELLS - 1]), max_size=3)):
        histogram[:, cell] += rng.integers(0, most + 1, groups)
    total = int(requests.sum())
    recorded = draw(st.lists(st.sampled_from(OUTCOMES), unique=True))
    return VariantEvidence(
        requests=requests,
        errors=rng.integers(0, requests + 1),
        first_byte=latency,
        last_byte=latency,
        units=float(draw(st.sampled_from([0.0, 1.0, 2.0, 3.0, 3.5, np.count_nonzero(requests), total]))),
        units_variance=draw(st.sampled_from([0.0, 1e-9, 100.0])),
        first_byte_histogram=histogram,
        last_byte_histogram=np.roll(histogram, 1, axis=1),
        outcomes={
            name: BucketSums(counted, binary if name in ("won", "clicks") else values) for name in recorded
        },
        immature_requests=draw(st.sampled_from([0, total // 2, total])),
        fallback_requests=draw(st.sampled_from([None, 0, total])),
        capped=dict.fromkeys(recorded[:1], 1),
    )


@st.composite
def experiments(draw: st.DrawFn) -> ExperimentEvidence:
    names = "abcdef"[: draw(st.sampled_from([1, 2, 2, 3, 6]))]
    buckets, groups = draw(st.sampled_from([(1, 1), (2, 1), (4, 2), (64, 4)]))
    epochs = []
    for number in range(1, 1 + draw(st.integers(0, 3))):
        present = draw(st.lists(st.sampled_from(names), unique=True))
        weights = dict.fromkeys(names, 1.0) | {
            name: draw(st.sampled_from([0.0, 1e-9, 0.5, 99.0])) for name in present
        }
        found = {name: draw(variants(buckets, groups)) for name in present}
        ended = draw(st.sampled_from([None, number + 1.0]))
        drawn = draw(st.sampled_from(["unit", "request", "features"]))
        epochs.append(EpochEvidence(number, float(number), ended, weights, found, drawn))
    return ExperimentEvidence("fuzzed", "a", tuple(epochs))


RECORDED = st.lists(st.sampled_from(METRICS), unique_by=lambda spec: spec.name)


@settings(max_examples=120, deadline=None)
@given(experiments(), RECORDED, SETTINGS)
def test_there_is_always_a_report_and_its_document_is_valid(
    evidence: ExperimentEvidence, metrics: list[MetricSpec], analysis: AnalysisSettings
) -> None:
    known = {name for epoch in evidence.epochs for each in epoch.variants.values() for name in each.outcomes}
    usable = [spec for spec in metrics if spec.covariate is None or spec.covariate in known]
    found = report(evidence, usable, analysis, now=4.0)
    document = to_json(found)
    wrong = list(errors(document, SCHEMA, SCHEMA))
    assert not wrong, wrong
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    for effect in found.effects:
        assert effect.reason is not None or effect.decision != "not enough data"


def alike(scale: float, units: int, buckets: int = 8) -> VariantEvidence:
    """One request and one outcome a bucket, whose values rise from one to the next."""
    ones = np.ones(buckets, np.int64)
    values = scale * np.arange(1.0, buckets + 1.0)
    cells = np.zeros((4, CELLS), np.int64)
    cells[:, 250:255] = 1
    return VariantEvidence(
        ones,
        0 * ones,
        values,
        values,
        float(units),
        0.0,
        cells,
        cells,
        {"value": BucketSums(ones, values)},
        0,
    )


def analysed(a: VariantEvidence, b: VariantEvidence, **how: float) -> Report:
    epoch = EpochEvidence(1, 0.0, None, {"a": 1.0, "b": 1.0}, {"a": a, "b": b})
    spec = MetricSpec("value", "mean")
    return report(ExperimentEvidence("x", "a", (epoch,)), [spec], AnalysisSettings(**how), now=4.0)


def test_three_units_have_an_interval_without_an_end_and_no_decision() -> None:
    """The sequence is at 36 standard errors there, whose tail Student's inverse does not reach by itself."""
    found = analysed(alike(1.0, 3), alike(1.1, 3), minimum_units=2)
    assert {effect.decision for effect in found.effects} == {"not enough data"}
    (p50,) = [effect for effect in found.effects if effect.metric == "first_byte_p50"]
    assert p50.always_valid.high == np.inf
    assert p50.reason


def test_values_that_cannot_be_squared_are_not_estimable_and_the_others_are() -> None:
    found = analysed(alike(1e200, 300), alike(1e200, 300), minimum_units=2, minimum_events=0)
    effects = {effect.metric: effect for effect in found.effects}
    assert effects["value"].reason == "values above 1e+75 are too large to be squared and compared"
    assert effects["value"].difference is None
    assert effects["value"].epochs == EpochEffects()
    assert effects["error_share"].reason == "zero variance"
    assert effects["first_byte_p50"].difference == 0.0


def test_a_control_as_good_as_zero_has_no_lift() -> None:
    found = analysed(alike(1e-300, 300), alike(1e10, 300), minimum_units=2)
    assert found.effects[0].difference == 4.5e10
    assert found.effects[0].lift is None


def test_a_variant_of_which_nothing_is_mature_may_move_by_any_amount() -> None:
    late = replace(alike(1.1, 300), immature_requests=8)
    epoch = EpochEvidence(1, 0.0, None, {"a": 1.0, "b": 1.0}, {"a": alike(1.0, 300), "b": late})
    spec = MetricSpec("value", "mean", per="request")
    how = AnalysisSettings(minimum_units=2, max_immature_share=1.0)
    found = report(ExperimentEvidence("x", "a", (epoch,)), [spec], how, now=4.0)
    assert found.effects[0].decision == "not enough data"
    document = to_json(found)
    assert document["effects"][0]["maturity_slack"] is None
    assert list(errors(document, SCHEMA, SCHEMA)) == []


def test_a_guardrail_at_an_alpha_above_a_half_bounds_nothing() -> None:
    a, b = alike(1.0, 300), alike(1.1, 300)
    epoch = EpochEvidence(1, 0.0, None, {"a": 1.0, "b": 1.0}, {"a": a, "b": b})
    spec = MetricSpec("value", "mean", margin=50.0)
    found = report(
        ExperimentEvidence("x", "a", (epoch,)), [spec], AnalysisSettings(alpha=0.6, minimum_units=2), now=4.0
    )
    assert found.effects[0].non_inferior is False
