"""Does the report say what there is to say, and no more, of experiments whose truth is known?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from policies.metric import MetricSpec
from policies.statistics.always_valid import asymptotic
from policies.statistics.evidence import BucketSums, EpochEvidence, ExperimentEvidence
from policies.statistics.report import AnalysisSettings
from policies.statistics.reporting.compare import quantile, quantiles

WON = MetricSpec("won", "binary")
VALUE = MetricSpec("value", "mean")
EVEN = {"a": 1.0, "b": 1.0}
SETTINGS = AnalysisSettings(n_star=4000)


def test_a_better_variant_is_found_and_a_worse_one_by_the_same_numbers(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    evidence = world(lift={"b": 0.1}).run([EVEN])
    up = effect_of(judged(evidence))
    down = effect_of(judged(evidence, replace(WON, goal="decrease")))
    assert up.decision == "better"
    assert up.always_valid.low < 0.1 < up.always_valid.high
    assert up.lift.low < 1 / 3 < up.lift.high
    assert up.lift.shape == "bounded"
    assert up.probability_best == pytest.approx(1.0)
    assert down.probability_best == pytest.approx(0.0)
    assert down == replace(up, decision="worse", probability_best=down.probability_best)


def test_a_ramp_under_drift_shows_no_effect_where_pooling_would(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
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


def test_epochs_that_disagree_are_noticed(world: Callable, judged: Callable, effect_of: Callable) -> None:
    one = world(seed=4, users=8000, lift={"b": 0.15}).run([EVEN])
    other = world(seed=4, users=8000, lift={"b": -0.1}).run([EVEN])
    both = replace(one, epochs=(*one.epochs, replace(other.epochs[0], number=2)))
    assert effect_of(judged(both)).heterogeneity_p < 0.001


def test_paused_added_and_absent_variants(world: Callable, judged: Callable, effect_of: Callable) -> None:
    weights = [{"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 0.0, "c": 1.0}, {"a": 1.0, "b": 1.0, "c": 1.0}]
    evidence = world(users=6000, lift={"c": 0.1}).run(weights)
    found = judged(evidence)
    assert [variant.name for variant in found.variants] == ["a", "b", "c"]
    assert effect_of(found, variant="b").epochs_left_out == (2,)
    assert effect_of(found, variant="c").epochs_left_out == (1,)
    assert effect_of(found, variant="c").decision == "better"
    assert found.health == "ok"
    assert {effect.variant for effect in found.effects} == {"b", "c"}


def test_no_traffic_in_an_epoch_and_none_at_all(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    evidence = world().run([EVEN])
    idle = replace(evidence, epochs=(*evidence.epochs, EpochEvidence(2, 7200.0, None, EVEN, {})))
    with_idle, without = effect_of(judged(idle)), effect_of(judged(evidence))
    assert with_idle.difference == without.difference
    assert with_idle.epochs_left_out == (2,)
    for empty in (ExperimentEvidence("x", "a", ()), replace(idle, epochs=idle.epochs[1:])):
        found = judged(empty)
        assert all(each.decision == "not enough data" and each.reason for each in found.effects)
        assert found.health == "ok"


def test_one_unit_and_few_events_are_not_trusted(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    assert "no epoch has traffic in both" in effect_of(judged(world(users=2).run([EVEN]))).reason
    assert "fewer than 100 units" in effect_of(judged(world(users=12).run([EVEN]))).reason
    assert "fewer than 100 units" in effect_of(judged(world(users=150).run([EVEN]))).reason
    rare = effect_of(judged(world(rates=(-1.0,)).run([EVEN])))
    assert "fewer than 10 successes or failures" in rare.reason


def test_a_metric_scaled_by_ten_has_its_interval_scaled_and_its_p_kept(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    found = judged(world(lift={"b": 0.03}).run([EVEN, {"a": 3.0, "b": 1.0}]), WON, VALUE)
    won, value = effect_of(found), effect_of(found, "value")
    for name in ("always_valid", "fixed"):
        one, ten = getattr(won, name), getattr(value, name)
        assert (ten.low, ten.high) == pytest.approx((10 * one.low, 10 * one.high))
        assert ten.p_value == pytest.approx(one.p_value)
    assert (value.lift.low, value.lift.high) == pytest.approx((won.lift.low, won.lift.high))


def test_swapping_the_control_flips_the_sign_and_keeps_p(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    evidence = world(lift={"b": 0.03}).run([EVEN, {"a": 3.0, "b": 1.0}])
    one = effect_of(judged(evidence))
    other = effect_of(judged(replace(evidence, control="b")), variant="a")
    assert other.difference == pytest.approx(-one.difference)
    for name in ("always_valid", "fixed", "adjusted"):
        before, after = getattr(one, name), getattr(other, name)
        assert (after.low, after.high) == pytest.approx((-before.high, -before.low))
        assert after.p_value == pytest.approx(before.p_value)


def test_a_covariate_takes_out_variance(world: Callable, judged: Callable, effect_of: Callable) -> None:
    evidence = world(users=4000, requests=40.0, lift={"b": 0.02}).run([EVEN])
    plain = effect_of(judged(evidence))
    adjusted = effect_of(judged(evidence, replace(WON, covariate="before")))
    assert adjusted.covariate == "before"
    assert adjusted.standard_error < 0.6 * plain.standard_error
    assert adjusted.variance_reduction == pytest.approx(
        1.0 - (adjusted.standard_error / plain.standard_error) ** 2, rel=1e-6
    )
    assert adjusted.always_valid.low < 0.02 < adjusted.always_valid.high


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("offset", [0.0, 7.0, 1e9])
def test_a_covariate_that_explains_all_leaves_nothing_to_compare(
    world: Callable, judged: Callable, effect_of: Callable, seed: int, offset: float
) -> None:
    """What is left then is the rounding of sums, and no effect stands out of that."""
    evidence = world(seed=seed, users=2000).run([{**EVEN, "c": 1.0}, {"a": 3.0, "b": 1.0, "c": 2.0}])
    epochs = []
    for epoch in evidence.epochs:
        variants = {}
        for name, each in epoch.variants.items():
            before = each.outcomes["before"]
            sums = BucketSums(before.denominator, 3.0 * before.numerator + offset * before.denominator)
            variants[name] = replace(each, outcomes={"value": sums, "before": before})
        epochs.append(replace(epoch, variants=variants))
    found = judged(replace(evidence, epochs=tuple(epochs)), replace(VALUE, covariate="before"))
    effect = effect_of(found, "value")
    assert (effect.decision, effect.reason) == ("not enough data", "zero variance")
    assert (effect.probability_best, effect.probability_best_reason) == (None, "zero variance")


def test_slower_variants_show_in_means_and_quantiles(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    found = judged(world(users=4000, slower={"b": 0.02}).run([EVEN]))
    for metric in ("first_byte_mean", "last_byte_mean", "first_byte_p50", "first_byte_p90"):
        assert effect_of(found, metric).decision == "worse", metric
    p50 = effect_of(found, "first_byte_p50")
    assert p50.always_valid.low < 0.02 < p50.always_valid.high
    means = {each.metric: each for each in found.variants[1].metrics}
    assert means["first_byte_p99"].low <= means["first_byte_p99"].mean <= means["first_byte_p99"].high
    assert effect_of(found, "error_share").family == "operational"


def test_the_always_valid_interval_is_the_confidence_sequence(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
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
    ("specs", "message"),
    [
        ([WON, WON], "unique"),
        ([MetricSpec("error_share", "binary")], "error_share"),
        ([replace(WON, covariate="befor")], "recorded are: before, value, won"),
    ],
)
def test_metrics_that_clash_are_refused(world: Callable, judged: Callable, specs: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        judged(world(users=200).run([EVEN]), *specs)
