"""Are decisions, intervals and p-values one story, at any goal, margin and number of metrics?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import sqrt

import pytest

from policies.metric import MetricSpec
from policies.statistics.report import AnalysisSettings
from policies.statistics.reporting.compare import quantile
from policies.statistics.reporting.judge import decide
from policies.statistics.reporting.result import Interval

WON = MetricSpec("won", "binary")
VALUE = MetricSpec("value", "mean")
EVEN = {"a": 1.0, "b": 1.0}
SETTINGS = AnalysisSettings(n_star=4000)


def test_no_effect_and_no_margin_is_not_enough_data_with_the_units_still_needed(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    found = effect_of(judged(world(seed=2, users=1500).run([EVEN])))
    assert found.decision == "not enough data"
    assert found.always_valid.low < 0.0 < found.always_valid.high
    assert found.always_valid.p_value > 0.05
    assert found.units_needed is None or found.units_needed > 0


def test_units_needed_are_enough_and_not_too_many(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    found = effect_of(judged(world(seed=3, users=1200, lift={"b": 0.02}).run([EVEN])))
    assert found.decision == "not enough data"
    alpha = 1.0 - found.adjusted.level
    half = (found.adjusted.high - found.adjusted.low) / 2.0

    def width(n: float) -> float:
        scale = sqrt(found.units / n) * quantile(n, SETTINGS, alpha) / quantile(found.units, SETTINGS, alpha)
        return half * scale

    assert width(found.units + found.units_needed) <= abs(found.difference)
    assert width(found.units + 0.99 * found.units_needed - 0.01 * found.units) > abs(found.difference)


def test_a_small_difference_within_the_margin_is_none_that_matters(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    found = effect_of(judged(world(users=20_000).run([EVEN]), replace(WON, margin=0.05)))
    assert found.decision == "no difference larger than the margin"
    assert found.non_inferior is True
    assert found.units_needed is None


def test_a_guardrail_is_not_shown_safe_by_silence(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    guarded = MetricSpec("won", "binary", guardrail=True, margin=0.02)
    thin = effect_of(judged(world(users=800).run([EVEN]), guarded))
    assert thin.non_inferior is False
    assert thin.decision == "not enough data"
    harmed = effect_of(judged(world(users=8000, lift={"b": -0.1}).run([EVEN]), guarded))
    assert harmed.non_inferior is False
    assert harmed.decision == "worse"


def test_the_fixed_interval_is_shown_at_the_planned_size_only(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
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


@pytest.mark.parametrize("multiplicity", ["holm", "bonferroni", "benjamini_hochberg", "none"])
def test_intervals_and_p_values_agree_about_zero(
    world: Callable, judged: Callable, multiplicity: str
) -> None:
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


def test_adjustment_is_over_metrics_and_variants_of_a_family(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    evidence = world(users=3000).run([{"a": 1.0, "b": 1.0, "c": 1.0}])
    alone, among = judged(evidence, WON), judged(evidence, WON, VALUE)
    assert 1.0 - effect_of(alone).adjusted.level == pytest.approx(0.05 / 2)
    assert 1.0 - effect_of(among).adjusted.level == pytest.approx(0.05 / 4)
    assert effect_of(alone).always_valid == effect_of(among).always_valid


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
    "wrong",
    [{"alpha": 1.0}, {"srm_alpha": 0.0}, {"n_star": 0.0}, {"multiplicity": "hom"}, {"weighting": "none"},
     {"minimum_units": 0}, {"planned_units": -1}, {"max_immature_share": -0.1}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AnalysisSettings(**wrong)
