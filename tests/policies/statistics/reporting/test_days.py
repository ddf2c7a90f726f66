"""Do the days left bring the power that they promise, and is there a reason where there are none?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from policies.metric import MetricSpec
from policies.statistics.evidence import ExperimentEvidence
from policies.statistics.planning.effect_size import power
from policies.statistics.report import AnalysisSettings, Effect
from policies.statistics.reporting.compare import design, quantile
from policies.statistics.reporting.days import days_until_decision
from policies.statistics.result import NotEstimable

WON = MetricSpec("won", "binary")
EVEN = {"a": 1.0, "b": 1.0}
SETTINGS = AnalysisSettings(n_star=4000)
# The reports are of 1e6 unix seconds, and the first epoch starts an hour after 0.
DAYS = (1e6 - 3600.0) / 86_400.0


def running(evidence: ExperimentEvidence) -> ExperimentEvidence:
    *before, last = evidence.epochs
    return replace(evidence, epochs=(*before, replace(last, ended=None)))


@pytest.fixture
def undecided(world: Callable) -> ExperimentEvidence:
    return running(world(seed=3, users=1200, lift={"b": 0.02}).run([EVEN]))


def promised(effect: Effect, target: float, days: float) -> float:
    """The power of the look after so many days, at the traffic so far."""
    n = effect.units + days * effect.units / DAYS
    variance = effect.standard_error**2 * effect.units
    return power(target, variance, n, design(SETTINGS, 1.0 - effect.adjusted.level))


def test_after_the_days_left_the_present_difference_or_the_margin_is_called(
    undecided: ExperimentEvidence, judged: Callable, effect_of: Callable
) -> None:
    for spec in (WON, replace(WON, margin=0.015), replace(WON, margin=0.03, goal="decrease")):
        found = effect_of(judged(undecided, spec))
        assert found.decision == "not enough data"
        assert found.days_left > 0.0
        assert found.days_left_reason is None
        target = abs(found.difference) if spec.margin is None else spec.margin
        assert promised(found, target, found.days_left) == pytest.approx(0.8, abs=1e-3)
    plain = effect_of(judged(undecided))
    assert plain.days_left * plain.units / DAYS > plain.units_needed


def test_twice_the_time_for_the_same_traffic_is_twice_the_days(
    undecided: ExperimentEvidence, judged: Callable, effect_of: Callable
) -> None:
    (epoch,) = undecided.epochs
    slow = replace(undecided, epochs=(replace(epoch, started=1e6 - 2 * (1e6 - epoch.started)),))
    days = effect_of(judged(undecided)).days_left
    assert effect_of(judged(slow)).days_left == pytest.approx(2.0 * days)


def test_a_pause_between_does_not_count_as_time(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    weights = [EVEN, {"a": 1.0, "b": 0.0}, EVEN]
    evidence = running(world(seed=3, users=1200, lift={"b": 0.01}).run(weights))
    long = replace(evidence.epochs[1], started=evidence.epochs[1].started - 5e5)
    longer = replace(evidence, epochs=(evidence.epochs[0], long, evidence.epochs[2]))
    found = effect_of(judged(evidence))
    assert found.epochs_left_out == (2,)
    assert found.days_left == effect_of(judged(longer)).days_left > 0.0


def test_what_is_decided_needs_no_more_days(world: Callable, judged: Callable, effect_of: Callable) -> None:
    ended = world(lift={"b": 0.1}).run([EVEN])
    assert [effect_of(judged(each)).days_left for each in (ended, running(ended))] == [0.0, 0.0]


def test_where_there_are_none_there_is_a_reason(
    undecided: ExperimentEvidence, world: Callable, judged: Callable, effect_of: Callable
) -> None:
    def reason(evidence: ExperimentEvidence, metric: str = "won") -> str:
        effect = effect_of(judged(evidence), metric)
        assert effect.days_left is None
        return effect.days_left_reason

    (epoch,) = undecided.epochs
    paused = replace(epoch, number=2, weights={"a": 1.0, "b": 0.0}, variants={})
    assert "last epoch has ended" in reason(replace(undecided, epochs=(replace(epoch, ended=7200.0),)))
    assert "is paused" in reason(replace(undecided, epochs=(epoch, paused)))
    assert "for any time" in reason(replace(undecided, epochs=(replace(epoch, started=1e6),)))
    assert "no standard error" in reason(undecided, "first_byte_p50")
    assert "fewer than 100 units" in reason(running(world(users=150).run([EVEN])))
    assert "not mature yet" in reason(running(world(late={"b": 0.3}).run([EVEN])))


def test_what_no_plan_reaches_is_said(
    undecided: ExperimentEvidence, judged: Callable, effect_of: Callable
) -> None:
    found = effect_of(judged(undecided))
    for nothing in (0.0, 1e-300):
        days = days_until_decision(replace(found, difference=nothing), None, 100.0, 0.05, SETTINGS)
        assert isinstance(days, NotEstimable)
        assert "too small" in days.reason
    past = days_until_decision(found, 50.0 * found.standard_error, 100.0, 0.05, SETTINGS)
    assert isinstance(past, NotEstimable)
    assert "no decision" in past.reason


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.001])
def test_the_design_has_the_interval_s_critical_value(alpha: float) -> None:
    assert design(SETTINGS, alpha).critical(900.0) == pytest.approx(quantile(900.0, SETTINGS, alpha))
