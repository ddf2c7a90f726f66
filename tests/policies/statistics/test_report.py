"""Does the report say what there is to say, and no more, of simulated experiments whose truth is known?"""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

import policies.statistics
from policies.metric import MetricSpec
from policies.statistics.always_valid import asymptotic
from policies.statistics.evidence import EpochEvidence, ExperimentEvidence
from policies.statistics.report import AnalysisSettings, Effect, Report, report, to_json
from policies.statistics.reporting.compare import quantile, quantiles
from policies.statistics.reporting.judge import decide
from policies.statistics.reporting.result import Interval

WON = MetricSpec("won", "binary")
VALUE = MetricSpec("value", "mean")
EVEN = {"a": 1.0, "b": 1.0}
SETTINGS = AnalysisSettings(n_star=4000)


def effect_of(found: Report, metric: str = "won", variant: str = "b") -> Effect:
    (effect,) = [each for each in found.effects if (each.metric, each.variant) == (metric, variant)]
    return effect


def judged(
    evidence: ExperimentEvidence, *metrics: MetricSpec, settings: AnalysisSettings = SETTINGS
) -> Report:
    return report(evidence, metrics or (WON,), settings, now=1e6)


def test_a_better_variant_is_found_and_a_worse_one_by_the_same_numbers(world: Callable) -> None:
    evidence = world(lift={"b": 0.1}).run([EVEN])
    up = effect_of(judged(evidence))
    down = effect_of(judged(evidence, replace(WON, goal="decrease")))
    assert up.decision == "better"
    assert up.always_valid.low < 0.1 < up.always_valid.high
    assert up.lift.low < 1 / 3 < up.lift.high
    assert up.lift.shape == "bounded"
    assert down == replace(up, decision="worse")


def test_no_effect_and_no_margin_is_not_enough_data_with_the_units_still_needed(world: Callable) -> None:
    found = effect_of(judged(world(seed=2, users=1500).run([EVEN])))
    assert found.decision == "not enough data"
    assert found.always_valid.low < 0.0 < found.always_valid.high
    assert found.always_valid.p_value > 0.05
    assert found.units_needed is None or found.units_needed > 0


def test_units_needed_are_enough_and_not_too_many(world: Callable) -> None:
    found = effect_of(judged(world(seed=3, users=1200, lift={"b": 0.02}).run([EVEN])))
    assert found.decision == "not enough data"
    alpha = 1.0 - found.adjusted.level
    half = (found.adjusted.high - found.adjusted.low) / 2.0

    def width(n: float) -> float:
        scale = sqrt(found.units / n) * quantile(n, SETTINGS, alpha) / quantile(found.units, SETTINGS, alpha)
        return half * scale

    assert width(found.units + found.units_needed) <= abs(found.difference)
    assert width(found.units + 0.99 * found.units_needed - 0.01 * found.units) > abs(found.difference)


def test_a_small_difference_within_the_margin_is_none_that_matters(world: Callable) -> None:
    found = effect_of(judged(world(users=20_000).run([EVEN]), replace(WON, margin=0.05)))
    assert found.decision == "no difference larger than the margin"
    assert found.non_inferior is True
    assert found.units_needed is None


def test_a_guardrail_is_not_shown_safe_by_silence(world: Callable) -> None:
    guarded = MetricSpec("won", "binary", guardrail=True, margin=0.02)
    thin = effect_of(judged(world(users=800).run([EVEN]), guarded))
    assert thin.non_inferior is False
    assert thin.decision == "not enough data"
    harmed = effect_of(judged(world(users=8000, lift={"b": -0.1}).run([EVEN]), guarded))
    assert harmed.non_inferior is False
    assert harmed.decision == "worse"


def test_a_ramp_under_drift_shows_no_effect_where_pooling_would(world: Callable) -> None:
    """Identical variants, weights 90/10 then 10/90, and a morning of .5 before an evening of .2."""
    evidence = world(users=8000, rates=(0.5, 0.2)).run([{"a": 9.0, "b": 1.0}, {"a": 1.0, "b": 9.0}])
    found = effect_of(judged(evidence))
    assert found.fixed.low < 0.0 < found.fixed.high
    sums = [[epoch.variants[name].outcomes["won"] for epoch in evidence.epochs] for name in "ab"]
    a, b = (
        sum(each.numerator.sum() for each in row) / sum(each.denominator.sum() for each in row)
        for row in sums
    )
    pooled = b - a
    assert pooled < -0.15
    assert abs(found.difference) < 0.03
    assert [row.epoch for row in found.epochs] == [1, 2]
    assert found.heterogeneity_p > 0.001
    latency = effect_of(judged(evidence), "first_byte_p95")
    assert latency.always_valid.low < 0.0 < latency.always_valid.high


def test_epochs_that_disagree_are_noticed(world: Callable) -> None:
    one = world(seed=4, users=8000, lift={"b": 0.15}).run([EVEN])
    other = world(seed=4, users=8000, lift={"b": -0.1}).run([EVEN])
    both = replace(one, epochs=(*one.epochs, replace(other.epochs[0], number=2)))
    assert effect_of(judged(both)).heterogeneity_p < 0.001


def test_paused_added_and_absent_variants(world: Callable) -> None:
    weights = [{"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 0.0, "c": 1.0}, {"a": 1.0, "b": 1.0, "c": 1.0}]
    evidence = world(users=6000, lift={"c": 0.1}).run(weights)
    found = judged(evidence)
    assert [variant.name for variant in found.variants] == ["a", "b", "c"]
    assert effect_of(found, variant="b").epochs_left_out == (2,)
    assert effect_of(found, variant="c").epochs_left_out == (1,)
    assert effect_of(found, variant="c").decision == "better"
    assert found.health == "ok"
    assert {effect.variant for effect in found.effects} == {"b", "c"}


def test_weight_zero_throughout_is_not_estimable_and_units_there_are_strays(world: Callable) -> None:
    found = judged(world().run([{"a": 1.0, "b": 0.0}]))
    assert effect_of(found).reason == "no epoch has traffic in both variants"
    assert effect_of(found).difference is None
    real = world().run([EVEN])
    stray = replace(real, epochs=(replace(real.epochs[0], weights={"a": 1.0, "b": 0.0}),))
    check = next(each for each in judged(stray).checks if each.name == "stray_units")
    assert check.status == "warning"
    assert "b in epoch 1" in check.message


def test_no_traffic_in_an_epoch_and_none_at_all(world: Callable) -> None:
    evidence = world().run([EVEN])
    idle = replace(evidence, epochs=(*evidence.epochs, EpochEvidence(2, 7200.0, None, EVEN, {})))
    with_idle, without = effect_of(judged(idle)), effect_of(judged(evidence))
    assert with_idle.difference == without.difference
    assert with_idle.epochs_left_out == (2,)
    for empty in (ExperimentEvidence("x", "a", ()), replace(idle, epochs=idle.epochs[1:])):
        found = judged(empty)
        assert all(each.decision == "not enough data" and each.reason for each in found.effects)
        assert found.health == "ok"


def test_one_unit_and_few_events_are_not_trusted(world: Callable) -> None:
    assert "no epoch has traffic in both" in effect_of(judged(world(users=2).run([EVEN]))).reason
    assert "fewer than 100 units" in effect_of(judged(world(users=12).run([EVEN]))).reason
    assert "fewer than 100 units" in effect_of(judged(world(users=150).run([EVEN]))).reason
    rare = effect_of(judged(world(rates=(-1.0,)).run([EVEN])))
    assert "fewer than 10 successes or failures" in rare.reason


def test_outcomes_that_come_sooner_do_not_fake_a_difference(world: Callable) -> None:
    """b answers sooner: of a's immature traffic 60 % has no outcome yet, of b's none is missing."""
    per_request = replace(WON, per="request")
    late = {"late": {"a": 0.4, "b": 0.4}, "missing": {"a": 0.6}}
    evidence = world(users=8000, **late).run([EVEN])
    faked = effect_of(judged(evidence, per_request, settings=replace(SETTINGS, max_immature_share=1.0)))
    assert faked.fixed.low > 0.0
    assert faked.decision == "not enough data"
    assert "not mature yet could explain" in faked.reason
    held = judged(evidence, per_request)
    assert effect_of(held).decision == "not enough data"
    assert "are not mature yet" in effect_of(held).reason
    assert held.immature_share == pytest.approx(0.4, abs=0.02)
    maturity = next(each for each in held.checks if each.name == "maturity")
    assert maturity.status == "warning"
    assert "a 40" in maturity.message or "a 39" in maturity.message
    mature = judged(world(users=8000).run([EVEN]), per_request)
    assert effect_of(mature).fixed.low < 0.0 < effect_of(mature).fixed.high


def test_little_immature_traffic_widens_what_a_decision_must_clear(world: Callable) -> None:
    evidence = world(users=8000, lift={"b": 0.1}, late={"a": 0.03, "b": 0.03}).run([EVEN])
    found = effect_of(judged(evidence, replace(WON, per="request")))
    assert found.maturity_slack == pytest.approx(found.variant_mean * 0.03 / 0.97, rel=0.1)
    assert found.decision == "better"


def test_a_split_that_is_off_alarms_and_forbids_decisions(world: Callable) -> None:
    evidence = world(users=30_000, lift={"b": 0.1}).run([{"a": 1.0, "b": 1.3}])
    off = replace(evidence, epochs=(replace(evidence.epochs[0], weights=EVEN),))
    assert judged(evidence).health == "ok"
    assert effect_of(judged(evidence)).decision == "better"
    found = judged(off)
    assert found.health == "alarm"
    assert {check.name for check in found.checks if check.status != "ok"} >= {
        "sample_ratio_sequential",
        "sample_ratio",
    }
    assert {each.decision for each in found.effects} == {"not enough data"}
    assert "sample ratio mismatch" in effect_of(found).reason


def test_outcomes_that_are_lost_are_noticed(world: Callable) -> None:
    found = judged(world(users=8000, lost={"b": 0.1}).run([EVEN]), WON, VALUE)
    rates = [check for check in found.checks if check.name.startswith("outcome_rate:")]
    assert [check.status for check in rates] == ["warning", "warning"]
    healthy = judged(world(users=8000).run([EVEN]), WON)
    assert {check.status for check in healthy.checks} == {"ok"}


def test_the_fixed_interval_is_shown_at_the_planned_size_only(world: Callable) -> None:
    evidence = world(users=4000).run([EVEN])
    for planned, shown in (
        (None, "always_valid"),
        (5000, "always_valid"),
        (3800, "fixed"),
        (2000, "always_valid"),
    ):
        found = judged(evidence, settings=replace(SETTINGS, planned_units=planned))
        assert effect_of(found).shown == shown
        assert found.settings.planned_units == planned


def test_a_metric_scaled_by_ten_has_its_interval_scaled_and_its_p_kept(world: Callable) -> None:
    found = judged(world(lift={"b": 0.03}).run([EVEN, {"a": 3.0, "b": 1.0}]), WON, VALUE)
    won, value = effect_of(found), effect_of(found, "value")
    for name in ("always_valid", "fixed"):
        one, ten = getattr(won, name), getattr(value, name)
        assert (ten.low, ten.high) == pytest.approx((10 * one.low, 10 * one.high))
        assert ten.p_value == pytest.approx(one.p_value)
    assert (value.lift.low, value.lift.high) == pytest.approx((won.lift.low, won.lift.high))


def test_swapping_the_control_flips_the_sign_and_keeps_p(world: Callable) -> None:
    evidence = world(lift={"b": 0.03}).run([EVEN, {"a": 3.0, "b": 1.0}])
    one = effect_of(judged(evidence))
    other = effect_of(judged(replace(evidence, control="b")), variant="a")
    assert other.difference == pytest.approx(-one.difference)
    for name in ("always_valid", "fixed", "adjusted"):
        before, after = getattr(one, name), getattr(other, name)
        assert (after.low, after.high) == pytest.approx((-before.high, -before.low))
        assert after.p_value == pytest.approx(before.p_value)


@pytest.mark.parametrize("multiplicity", ["holm", "bonferroni", "benjamini_hochberg", "none"])
def test_intervals_and_p_values_agree_about_zero(world: Callable, multiplicity: str) -> None:
    settings = replace(SETTINGS, multiplicity=multiplicity)
    weights = [{"a": 1.0, "b": 1.0, "c": 1.0}]
    seen = set()
    for seed, lift in ((1, 0.0), (2, 0.04), (3, 0.055), (4, 0.06), (5, 0.15)):
        evidence = world(seed=seed, lift={"b": lift}, slower={"c": lift / 5}).run(weights)
        for effect in judged(evidence, WON, VALUE, settings=settings).effects:
            for interval in (effect.always_valid, effect.adjusted, effect.fixed):
                outside = interval.low > 0.0 or interval.high < 0.0
                alpha = settings.alpha if interval is effect.adjusted else 1.0 - interval.level
                assert outside == (interval.p_value < alpha), (effect.metric, interval)
                seen.add(outside)
    assert seen == {True, False}


def test_adjustment_is_over_metrics_and_variants_of_a_family(world: Callable) -> None:
    evidence = world(users=3000).run([{"a": 1.0, "b": 1.0, "c": 1.0}])
    alone, among = judged(evidence, WON), judged(evidence, WON, VALUE)
    assert 1.0 - effect_of(alone).adjusted.level == pytest.approx(0.05 / 2)
    assert 1.0 - effect_of(among).adjusted.level == pytest.approx(0.05 / 4)
    assert effect_of(alone).always_valid == effect_of(among).always_valid


def test_a_covariate_takes_out_variance(world: Callable) -> None:
    evidence = world(users=4000, requests=40.0, lift={"b": 0.02}).run([EVEN])
    plain = effect_of(judged(evidence))
    adjusted = effect_of(judged(evidence, replace(WON, covariate="before")))
    assert adjusted.covariate == "before"
    assert adjusted.standard_error < 0.6 * plain.standard_error
    assert adjusted.variance_reduction == pytest.approx(
        1.0 - (adjusted.standard_error / plain.standard_error) ** 2, rel=1e-6
    )
    assert adjusted.always_valid.low < 0.02 < adjusted.always_valid.high


def test_slower_variants_show_in_means_and_quantiles(world: Callable) -> None:
    found = judged(world(users=4000, slower={"b": 0.02}).run([EVEN]))
    for metric in ("first_byte_mean", "last_byte_mean", "first_byte_p50", "first_byte_p90"):
        assert effect_of(found, metric).decision == "worse", metric
    p50 = effect_of(found, "first_byte_p50")
    assert p50.always_valid.low < 0.02 < p50.always_valid.high
    means = {each.metric: each for each in found.variants[1].metrics}
    assert means["first_byte_p99"].low <= means["first_byte_p99"].mean <= means["first_byte_p99"].high
    assert effect_of(found, "error_share").family == "operational"


def test_the_always_valid_interval_is_the_confidence_sequence(world: Callable) -> None:
    """Wider by Student's t over the normal at as many degrees of freedom as there are clusters, no more."""
    found = effect_of(judged(world(users=40_000).run([EVEN])))
    half = asymptotic.half_width(found.standard_error, found.units, 0.05, SETTINGS.n_star)
    assert found.always_valid.high - found.difference == pytest.approx(half, rel=0.005)
    assert found.always_valid.high - found.difference >= half


def test_many_quantiles_at_once_are_each_alone() -> None:
    n = np.array([150.0, 3e4, 1e9])
    normal = quantiles(n, np.full(3, 1e12), SETTINGS)
    assert normal == pytest.approx([quantile(each, SETTINGS, SETTINGS.alpha) for each in n], rel=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.02, 0.04, "better"),
        (-0.04, -0.02, "worse"),
        (-0.005, 0.009, "no difference larger than the margin"),
        (0.001, 0.009, "no difference larger than the margin"),
        (-0.02, 0.03, "not enough data"),
        (0.001, 0.03, "better"),
        (float("-inf"), float("inf"), "not enough data"),
    ],
)
def test_decisions_mirror_with_the_goal(low: float, high: float, expected: str) -> None:
    spec, interval = MetricSpec("m", "mean", margin=0.01), Interval(low, high, 0.95, None)
    assert decide(spec, interval)[0] == expected
    mirrored = Interval(-high, -low, 0.95, None)
    assert decide(replace(spec, goal="decrease"), mirrored)[0] == expected


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([WON, WON], "unique"),
        ([MetricSpec("error_share", "binary")], "error_share"),
        ([replace(WON, covariate="befor")], "recorded are: before, value, won"),
    ],
)
def test_metrics_that_clash_are_refused(world: Callable, specs: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        judged(world(users=200).run([EVEN]), *specs)


@pytest.mark.parametrize(
    "wrong",
    [{"alpha": 1.0}, {"srm_alpha": 0.0}, {"n_star": 0.0}, {"multiplicity": "hom"}, {"weighting": "none"},
     {"minimum_units": 0}, {"planned_units": -1}, {"max_immature_share": -0.1}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AnalysisSettings(**wrong)


_schema = runpy.run_path(str(Path(__file__).with_name("schema.py")))


def documents(world: Callable) -> list[dict]:
    rich = world(users=3000, late={"a": 0.1}).run([{"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0, "c": 0.5}])
    specs = (replace(WON, margin=0.02, guardrail=True), replace(VALUE, covariate="before"))
    return [
        to_json(judged(rich, *specs)),
        to_json(judged(world(users=3).run([EVEN]))),
        to_json(judged(ExperimentEvidence("x", "a", ()))),
    ]


def test_json_is_as_its_schema_says(world: Callable) -> None:
    schema = json.loads((Path(policies.statistics.__path__[0]) / "report_schema.json").read_text())
    for document in documents(world):
        assert list(_schema["errors"](document, schema, schema)) == []
        assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_the_schema_refuses_what_is_not_a_report(world: Callable) -> None:
    schema = json.loads((Path(policies.statistics.__path__[0]) / "report_schema.json").read_text())
    whole = documents(world)[0]
    spoilt = [
        {key: value for key, value in whole.items() if key != "health"},
        {**whole, "extra": 1},
        {**whole, "health": "fine"},
        {**whole, "effects": [{**whole["effects"][0], "decision": "good"}]},
        {**whole, "effects": [{**whole["effects"][0], "always_valid": {"low": 1}}]},
        {**whole, "immature_share": 1.5},
        {**whole, "computed_at": True},
    ]
    for document in spoilt:
        assert list(_schema["errors"](document, schema, schema)) != []


def test_every_part_of_the_schema_is_described() -> None:
    schema = json.loads((Path(policies.statistics.__path__[0]) / "report_schema.json").read_text())
    assert all(part["description"] for part in schema["$defs"].values())
