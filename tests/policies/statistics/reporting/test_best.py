"""Is the probability to be best that of the report's own estimates, for the control too, or None with why?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from scipy.special import ndtri

from policies.metric import MetricSpec
from policies.statistics.bayes.normal import normal_posterior
from policies.statistics.report import AnalysisSettings, Report

WON = MetricSpec("won", "binary")
EVEN = {"a": 1.0, "b": 1.0}
THREE = {"a": 1.0, "b": 1.0, "c": 1.0}
SETTINGS = AnalysisSettings(n_star=4000)


def chances(found: Report, metric: str = "won") -> list[float | None]:
    rows = [row for variant in found.variants for row in variant.metrics if row.metric == metric]
    return [row.probability_best for row in rows]


@pytest.mark.parametrize("goal", ["increase", "decrease"])
def test_it_is_that_of_normal_posteriors_at_the_means_shown(
    world: Callable, judged: Callable, effect_of: Callable, goal: str
) -> None:
    evidence = world(seed=7, users=6000, lift={"b": 0.005, "c": 0.01}).run([THREE])
    found = judged(evidence, replace(WON, goal=goal))
    rows = [row for variant in found.variants for row in variant.metrics if row.metric == "won"]
    posterior = normal_posterior(
        [row.mean for row in rows],
        [row.standard_error for row in rows],
        sign=1 if goal == "increase" else -1,
    )
    assert chances(found) == pytest.approx(list(posterior.probability_best), rel=1e-8)
    assert all(0.001 < chance < 0.999 for chance in chances(found))
    assert sum(chances(found)) == pytest.approx(1.0)
    assert [effect_of(found, variant=v).probability_best for v in "bc"] == chances(found)[1:]


def test_the_goal_turns_two_variants_around(world: Callable, judged: Callable) -> None:
    evidence = world(seed=2, users=2000, lift={"b": 0.01}).run([EVEN])
    up, down = chances(judged(evidence)), chances(judged(evidence, replace(WON, goal="decrease")))
    assert up == pytest.approx(down[::-1])
    assert up[1] > 0.5


def test_a_ramp_under_drift_makes_no_winner_of_the_mornings(world: Callable, judged: Callable) -> None:
    weights = [{"a": 9.0, "b": 1.0}, {"a": 1.0, "b": 9.0}]
    found = judged(world(users=8000, rates=(0.5, 0.2)).run(weights))
    assert 0.01 < chances(found)[1] < 0.99


@pytest.mark.parametrize("weighting", ["traffic", "cmh"])
@pytest.mark.parametrize("covariate", [None, "before"])
def test_two_variants_are_as_sure_as_their_effect(
    world: Callable, judged: Callable, effect_of: Callable, covariate: str | None, weighting: str
) -> None:
    """Up to the covariance of the two, which posteriors that are taken as independent leave out."""
    evidence = world(seed=3, users=4000, requests=40.0, lift={"b": 0.005}).run([EVEN, {"a": 3.0, "b": 1.0}])
    settings = replace(SETTINGS, weighting=weighting)
    effect = effect_of(judged(evidence, replace(WON, covariate=covariate), settings=settings))
    z = effect.difference / effect.standard_error
    assert ndtri(effect.probability_best) == pytest.approx(z, rel=0.25)


def test_a_variant_without_traffic_is_not_compared_and_a_late_one_only_where_all_are(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    one, other = judged(world().run([{**EVEN, "c": 0.0}])), judged(world().run([EVEN]))
    assert chances(one) == [*chances(other), None]
    assert effect_of(one, variant="c").probability_best_reason == "no traffic yet"

    both = world(users=6000, rates=(0.5, 0.2)).run([EVEN, THREE])
    added, alone = judged(both), judged(replace(both, epochs=both.epochs[1:]))
    assert chances(added) == pytest.approx(chances(alone))

    apart = judged(world(users=6000).run([EVEN, {"a": 1.0, "b": 0.0, "c": 1.0}]))
    assert chances(apart) == [None] * 3
    assert effect_of(apart).probability_best_reason == "no epoch has traffic in all variants"


def test_what_cannot_be_had_is_none_with_the_reason(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    def reason(found: Report, metric: str = "won") -> str:
        effect = effect_of(found, metric)
        assert effect.probability_best is None
        return effect.probability_best_reason

    real = world().run([EVEN])
    lost = replace(real, epochs=(replace(real.epochs[0], weights={"a": 1.0, "b": 4.0}),))
    assert "sample ratio mismatch" in reason(judged(lost))
    assert "not mature yet" in reason(judged(world(late={"b": 0.3}).run([EVEN])))
    assert "fewer than 100 units" in reason(judged(world(users=150).run([EVEN])))
    assert "fewer than 10 successes" in reason(judged(world(rates=(-1.0,)).run([EVEN])))
    assert "fewer than two variants" in reason(judged(world().run([{"a": 1.0, "b": 0.0}])))
    for metric in ("error_share", "first_byte_p95"):
        assert reason(judged(real), metric) == "for declared metrics only"
    assert effect_of(judged(real)).probability_best_reason is None
