"""Is the probability to be best that of the report's own estimates, for the control too, or None with why?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import beta

from policies.metric import BetaPrior, MetricSpec, NormalPrior
from policies.statistics.bayes.normal import normal_posterior
from policies.statistics.report import AnalysisSettings, Report
from policies.statistics.reporting.contrasts import Contrasts
from policies.statistics.reporting.result import StatedPrior

WON = MetricSpec("won", "binary")
EVEN = {"a": 1.0, "b": 1.0}
THREE = {"a": 1.0, "b": 1.0, "c": 1.0}
SETTINGS = AnalysisSettings(n_star=4000)


def chances(found: Report, metric: str = "won") -> list[float | None]:
    rows = [row for variant in found.variants for row in variant.metrics if row.metric == metric]
    return [row.probability_best for row in rows]


@pytest.mark.parametrize("goal", ["increase", "decrease"])
def test_it_is_that_of_normal_posteriors_with_the_differences_own_variances(
    world: Callable, judged: Callable, effect_of: Callable, goal: str
) -> None:
    """One epoch, three variants: v_j + v_k = D_jk has the one solution v_a = (D_ab + D_ac - D_bc) / 2."""
    evidence = world(seed=7, users=6000, lift={"b": 0.005, "c": 0.01}).run([THREE])
    found = judged(evidence, replace(WON, goal=goal))
    sums = [evidence.epochs[0].variants[name].outcomes["won"] for name in "abc"]
    pulls = np.array([each.influence() for each in sums])
    ab, ac, bc = (float(np.square(pulls[j] - pulls[k]).sum()) for j, k in ((0, 1), (0, 2), (1, 2)))
    variances = np.array([ab + ac - bc, ab + bc - ac, ac + bc - ab]) / 2.0
    sign = 1 if goal == "increase" else -1
    posterior = normal_posterior([each.mean for each in sums], np.sqrt(variances).tolist(), sign=sign)
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
    """Exactly so by CMH weights, which are the fit's own; a covariate's theta is of the contrast."""
    evidence = world(seed=3, users=4000, requests=40.0, lift={"b": 0.005}).run([EVEN, {"a": 3.0, "b": 1.0}])
    settings = replace(SETTINGS, weighting=weighting)
    effect = effect_of(judged(evidence, replace(WON, covariate=covariate), settings=settings))
    z = effect.difference / effect.standard_error
    exact = weighting == "cmh" and covariate is None
    assert ndtri(effect.probability_best) == pytest.approx(z, rel=1e-6 if exact else 0.25)


def test_a_variant_without_traffic_is_not_compared(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    one, other = judged(world().run([{**EVEN, "c": 0.0}])), judged(world().run([EVEN]))
    assert chances(one) == [*chances(other), None]
    assert effect_of(one, variant="c").probability_best_reason == "no traffic yet"


def test_a_late_variant_is_compared_and_the_epochs_before_it_count(world: Callable, judged: Callable) -> None:
    """The baseline fell before c came: that is no sign of c, and what is known of a and b is kept."""
    both = world(users=6000, rates=(0.5, 0.2), lift={"b": 0.004}).run([EVEN, THREE])
    added, alone = judged(both), judged(replace(both, epochs=both.epochs[1:]))
    assert sum(chances(added)) == pytest.approx(1.0)
    assert all(chance > 0.001 for chance in chances(added))
    assert chances(added) != pytest.approx(chances(alone), rel=0.01)


def test_variants_that_never_met_are_compared_through_one_that_met_both(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    met = judged(world(users=6000, rates=(0.5, 0.2)).run([EVEN, {"a": 1.0, "b": 0.0, "c": 1.0}]))
    assert sum(chances(met)) == pytest.approx(1.0)
    assert all(0.001 < chance < 0.999 for chance in chances(met))

    apart = [
        {"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.0, "e": 0.0},
        {"a": 0.0, "b": 0.0, "c": 0.0, "d": 1.0, "e": 1.0},
    ]
    found = judged(world(users=6000).run(apart))
    assert chances(found)[3:] == [None, None]
    assert sum(chances(found)[:3]) == pytest.approx(1.0)
    assert effect_of(found, variant="d").probability_best_reason == "shares no epoch with the other variants"


def test_a_prior_holds_variants_together_whatever_its_mean(world: Callable, judged: Callable) -> None:
    evidence = world(seed=2, users=2000, lift={"b": 0.01}).run([EVEN])

    def best(prior: BetaPrior | None) -> float:
        return chances(judged(evidence, replace(WON, prior=prior)))[1]

    tight, wide = BetaPrior(3e4, 7e4), BetaPrior(1.0, 1.0)
    assert 0.5 < best(tight) < best(wide) < best(None)
    assert best(wide) == pytest.approx(best(None), abs=0.001)
    mirrored = BetaPrior(tight.beta, tight.alpha)
    assert best(tight) == pytest.approx(best(mirrored))


def test_the_shrunk_contrasts_are_the_posterior_of_the_linear_model() -> None:
    """Against the posterior of level and variants together, the level with a flat prior of its own."""
    rng = np.random.default_rng(5)
    root = rng.normal(size=(4, 9))
    root -= root.mean(axis=0)
    covariance, values = root @ root.T, rng.normal(size=4)
    values -= values.mean()
    found = Contrasts((0, 1, 2, 3), values, covariance, None).shrunk(0.7)
    # Differences to the last variant: their likelihood, and the prior's covariance t**2 (I + 1).
    to_last = np.hstack((np.eye(3), -np.ones((3, 1))))
    precision = np.linalg.inv(to_last @ covariance @ to_last.T)
    prior = np.linalg.inv(0.7**2 * (np.eye(3) + 1.0))
    after = np.linalg.inv(precision + prior)
    assert np.allclose(to_last @ found.covariance @ to_last.T, after)
    assert np.allclose(to_last @ found.values, after @ precision @ to_last @ values)


def test_priors_are_stated_in_the_report(world: Callable, judged: Callable) -> None:
    metrics = [
        replace(WON, prior=BetaPrior(2.0, 6.0)),
        MetricSpec("value", "mean", prior=NormalPrior(3.0, 0.5)),
    ]
    found = judged(world().run([EVEN]), *metrics, MetricSpec("before", "mean"))
    won, value = found.priors
    assert (won.metric, won.mean, won.deviation) == ("won", 0.25, pytest.approx(beta(2, 6).std()))
    assert value == StatedPrior("value", 3.0, 0.5)


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
