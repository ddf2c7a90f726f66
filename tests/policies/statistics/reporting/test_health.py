"""Is an experiment that did not run as planned told from one that did?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from policies.assignment import BUCKETS
from policies.metric import MetricSpec
from policies.statistics.evidence import ExperimentEvidence
from policies.statistics.report import AnalysisSettings

WON = MetricSpec("won", "binary")
VALUE = MetricSpec("value", "mean")
EVEN = {"a": 1.0, "b": 1.0}
SETTINGS = AnalysisSettings(n_star=4000)


def test_weight_zero_throughout_is_not_estimable_and_units_there_are_strays(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    found = judged(world().run([{"a": 1.0, "b": 0.0}]))
    assert effect_of(found).reason == "no epoch has traffic in both variants"
    assert effect_of(found).difference is None
    real = world().run([EVEN])
    stray = replace(real, epochs=(replace(real.epochs[0], weights={"a": 1.0, "b": 0.0}),))
    check = next(each for each in judged(stray).checks if each.name == "stray_units")
    assert check.status == "warning"
    assert "b in epoch 1" in check.message


def test_outcomes_that_come_sooner_do_not_fake_a_difference(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
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


def test_little_immature_traffic_widens_what_a_decision_must_clear(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    evidence = world(users=8000, lift={"b": 0.1}, late={"a": 0.03, "b": 0.03}).run([EVEN])
    found = effect_of(judged(evidence, replace(WON, per="request")))
    assert found.maturity_slack == pytest.approx(found.variant_mean * 0.03 / 0.97, rel=0.1)
    assert found.decision == "better"


def test_a_split_that_is_off_alarms_and_forbids_decisions(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
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


def test_requests_drawn_anew_are_checked_by_requests_for_units_are_in_all_variants(
    world: Callable, judged: Callable
) -> None:
    """500 units come 40 times each: 9 in 10 of the requests get a, and nearly every unit both."""
    split = np.random.default_rng(7).multinomial(20_000, [0.9, 0.1])
    (epoch,) = world(users=1000).run([{"a": 9.0, "b": 1.0}]).epochs
    variants = {
        name: replace(epoch.variants[name], requests=spread(count), units=units)
        for name, count, units in zip("ab", split, (500.0, 492.0), strict=True)
    }

    def statuses(drawn: str, **changed: Any) -> set[str]:
        drawn_so = replace(epoch, variants=variants | changed, drawn=drawn)
        found = judged(ExperimentEvidence("x", "a", (drawn_so,)))
        return {check.status for check in found.checks if check.name.startswith("sample_ratio")}

    assert statuses("request") == {"ok"}
    assert statuses("unit") == {"alarm", "warning"}
    lost = replace(variants["b"], requests=spread(split[1] * 4 // 5))
    assert statuses("request", b=lost) == {"alarm", "warning"}


def spread(count: int) -> NDArray[np.int64]:
    """So many requests over the buckets."""
    return np.diff(np.linspace(0, count, BUCKETS + 1).astype(np.int64))


def test_what_features_chose_is_no_split_and_decides_nothing(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    evidence = world(users=30_000, lift={"b": 0.1}).run([{"a": 1.0, "b": 1.3}, EVEN])
    chosen = replace(evidence.epochs[0], weights=EVEN, drawn="features")
    found = judged(replace(evidence, epochs=(chosen, evidence.epochs[1])))
    assert found.health == "warning"
    assert [check.name for check in found.checks if check.status != "ok"] == ["assigned_by_features"]
    assert {each.decision for each in found.effects} == {"not enough data"}
    assert "off-policy" in effect_of(found).reason


def test_outcomes_that_are_lost_are_noticed(world: Callable, judged: Callable) -> None:
    found = judged(world(users=8000, lost={"b": 0.1}).run([EVEN]), WON, VALUE)
    rates = [check for check in found.checks if check.name.startswith("outcome_rate:")]
    assert [check.status for check in rates] == ["warning", "warning"]
    healthy = judged(world(users=8000).run([EVEN]), WON)
    assert {check.status for check in healthy.checks} == {"ok"}
