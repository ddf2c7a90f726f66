"""Do posteriors, weights and losses agree with closed forms, with sampling, and with themselves mirrored?"""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln, ndtr
from scipy.stats import norm

from policies.statistics.bayes.beta import beta_posterior, probability_above
from policies.statistics.bayes.effect import EffectPosterior, effect_posterior, expected_excess
from policies.statistics.bayes.normal import normal_posterior
from policies.statistics.bayes.normal_inverse_gamma import NormalInverseGamma, normal_inverse_gamma
from policies.statistics.bayes.posterior import Posterior
from policies.statistics.bayes.thompson import (
    probabilities_second,
    thompson_weights,
    top_two_weights,
    with_floor,
)
from policies.statistics.result import NotEstimable

MEANS = st.lists(st.floats(-5, 5), min_size=2, max_size=5)
SPREADS = st.floats(1e-3, 1e3)


def rates(wins: list[float], trials: list[float], *prior: object, sign: int = 1) -> Posterior:
    found = beta_posterior(wins, trials, *prior, sign=sign)
    assert isinstance(found, Posterior)
    return found


@settings(max_examples=40)
@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_two_rates_agree_with_the_closed_form(x: int, y: int, fails_x: int, fails_y: int) -> None:
    a_a, b_a, a_b, b_b = x + 1, fails_x + 1, y + 1, fails_y + 1
    i = np.arange(a_b)
    closed = np.exp(
        betaln(a_a + i, b_a + b_b) - np.log(b_b + i) - betaln(1 + i, b_b) - betaln(a_a, b_a)
    ).sum()
    found = rates([x, y], [x + fails_x, y + fails_y])
    assert found.probability_best[1] == pytest.approx(closed, rel=1e-8, abs=1e-12)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=4), st.floats(0.2, 5)
)
def test_losses_and_chances_fit_together(counts: list[tuple[int, int]], prior: float) -> None:
    wins, fails = [a for a, _ in counts], [b for _, b in counts]
    trials = [a + b for a, b in counts]
    found, mirrored = rates(wins, trials, (prior, 1.0)), rates(fails, trials, (1.0, prior), sign=-1)
    assert sum(found.probability_best) == pytest.approx(1.0)
    assert min(found.expected_loss) >= 0.0
    assert mirrored.probability_best == pytest.approx(found.probability_best, abs=1e-9)
    assert mirrored.expected_loss == pytest.approx(found.expected_loss, abs=1e-9)
    # E[max] is the same whichever variant it is measured from.
    best = [mean + loss for mean, loss in zip(found.mean, found.expected_loss, strict=True)]
    assert best == pytest.approx([best[0]] * len(best), abs=1e-9)


def test_three_rates_agree_with_sampling() -> None:
    rng = np.random.default_rng(3)
    wins, trials = [3, 40, 11], [40, 400, 100]
    draws = rng.beta(
        [w + 0.5 for w in wins], [n - w + 0.5 for w, n in zip(wins, trials, strict=True)], (400_000, 3)
    )
    found = rates(wins, trials, (0.5, 0.5))
    share = np.bincount(draws.argmax(axis=1), minlength=3) / len(draws)
    assert found.probability_best == pytest.approx(share, abs=0.004)
    assert found.expected_loss == pytest.approx((draws.max(axis=1)[:, None] - draws).mean(axis=0), abs=2e-4)


def test_a_cold_variant_keeps_its_prior_and_a_rate_of_zero_its_posterior() -> None:
    found = rates([0, 0], [0, 10_000], [(1.0, 99.0), (1.0, 1.0)])
    assert found.mean[0] == pytest.approx(0.01)
    assert found.probability_best[0] > 0.98


def test_a_tail_probability_does_not_underflow_to_zero() -> None:
    assert 0.0 < probability_above(10, 100_000, 0.005) < 1e-150


@pytest.mark.parametrize(("arguments", "words"), [
    (([1], [1, 2]), "as many"), (([3, 1], [2, 2]), "at most trials"),
    (([1, 1], [2, 2], (0.0, 1.0)), "prior a"), (([1, 1], [2, 2], [(1.0, 1.0)] * 3), "priors"),
])  # fmt: skip
def test_counts_and_priors_that_do_not_fit_are_refused(arguments: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        beta_posterior(*arguments)


def test_one_variant_is_nothing_to_compare() -> None:
    assert isinstance(beta_posterior([1], [2]), NotEstimable)
    assert isinstance(normal_posterior([1.0], [2.0]), NotEstimable)


@settings(max_examples=60)
@given(MEANS, st.data())
def test_weights_sum_to_one_and_mirror(means: list[float], data: st.DataObject) -> None:
    spreads = data.draw(st.lists(SPREADS, min_size=len(means), max_size=len(means)))
    weights = thompson_weights(means, spreads)
    flipped = thompson_weights([-mean for mean in means], spreads, sign=-1)
    assert sum(weights) == pytest.approx(1.0)
    assert min(weights) >= 0.0
    assert flipped == pytest.approx(weights, abs=1e-12)
    assert sum(probabilities_second(means, spreads)) == pytest.approx(1.0)


@settings(max_examples=80)
@given(st.floats(-3, 3), SPREADS, SPREADS)
def test_two_weights_agree_with_the_closed_form_at_any_ratio_of_spreads(
    gap: float, one: float, two: float
) -> None:
    expected = ndtr(gap / np.hypot(one, two))
    assert thompson_weights([0.0, gap], [one, two])[1] == pytest.approx(expected, abs=1e-9)


def test_where_less_is_better_the_two_least_get_the_traffic() -> None:
    weights = top_two_weights([0.10, 0.12, 0.30], [0.01, 0.01, 0.01], sign=-1)
    assert weights[2] < 1e-6
    assert weights[0] == pytest.approx(0.5, abs=0.01)
    two = top_two_weights([0.10, 0.12], [0.01, 0.01], sign=-1)
    assert two == pytest.approx((0.5, 0.5))


def test_three_weights_agree_with_sampling_beside_a_very_narrow_posterior() -> None:
    rng = np.random.default_rng(5)
    means, spreads = [0.0, 0.4, 1.0], [1.0, 1e-4, 2.0]
    draws = rng.normal(means, spreads, (500_000, 3))
    order = np.argsort(draws, axis=1)
    for found, column in ((thompson_weights, 2), (probabilities_second, 1)):
        share = np.bincount(order[:, column], minlength=3) / len(draws)
        assert found(means, spreads) == pytest.approx(share, abs=0.003)


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=6), st.floats(0, 1))
def test_a_floor_holds_and_keeps_the_sum(raw: list[float], part: float) -> None:
    weights, floor = [each / sum(raw) for each in raw], part / len(raw)
    found = with_floor(weights, floor)
    assert sum(found) == pytest.approx(1.0)
    assert min(found) >= floor - 1e-12


def test_wrong_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="floor"):
        with_floor([0.5, 0.5], 0.6)
    with pytest.raises(ValueError, match="deviations"):
        thompson_weights([0.0, 1.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="as many"):
        thompson_weights([], [])
    assert thompson_weights([3.0], [1.0]) == (1.0,)
    assert top_two_weights([3.0], [1.0]) == (1.0,)


def test_normal_posteriors_shrink_towards_the_prior_and_a_cold_variant_has_it() -> None:
    found = normal_posterior([0.2, 0.0], [0.1, inf], (0.0, 0.1))
    assert isinstance(found, Posterior)
    assert found.mean == pytest.approx((0.1, 0.0))
    assert found.deviation == pytest.approx((0.1 / 2**0.5, 0.1))


@pytest.mark.parametrize(("errors", "reason"), [((0.0, 0.1), "zero"), ((inf, 0.1), "no data")])
def test_normal_posteriors_need_variation_or_a_prior(errors: tuple[float, float], reason: str) -> None:
    found = normal_posterior([0.1, 0.2], errors)
    assert isinstance(found, NotEstimable)
    assert reason in found.reason


@settings(max_examples=40)
@given(MEANS, st.floats(0.01, 10), st.floats(1e-2, 1e2))
def test_scaling_a_metric_scales_its_losses(means: list[float], error: float, scale: float) -> None:
    one = normal_posterior(means, [error] * len(means))
    other = normal_posterior([scale * mean for mean in means], [scale * error] * len(means))
    assert isinstance(one, Posterior)
    assert isinstance(other, Posterior)
    assert other.expected_loss == pytest.approx(
        [scale * loss for loss in one.expected_loss], rel=1e-6, abs=1e-12
    )
    assert other.probability_best == pytest.approx(one.probability_best, abs=1e-9)


@given(st.floats(-8, 8), st.floats(0.01, 100))
def test_the_risks_differ_by_the_mean_and_the_excess_is_the_integral(z: float, deviation: float) -> None:
    found = effect_posterior(z * deviation, deviation)
    assert isinstance(found, EffectPosterior)
    assert found.risk_control - found.risk_treatment == pytest.approx(found.mean, abs=1e-9 * deviation)
    whole = deviation * (norm.pdf(z) + z * norm.cdf(z))
    assert expected_excess(z * deviation, deviation) == pytest.approx(whole, rel=1e-6, abs=1e-15 * deviation)


def test_an_effect_without_error_is_not_estimable() -> None:
    assert isinstance(effect_posterior(0.1, 0.0), NotEstimable)
    with pytest.raises(ValueError, match="prior standard deviation"):
        effect_posterior(0.1, 0.1, (0.0, -1.0))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30), st.integers(1, 29))
def test_updating_in_two_parts_is_updating_once(values: list[float], cut: int) -> None:
    prior = NormalInverseGamma(0.0, 1.0, 2.0, 3.0)
    x = np.array(values)

    def updated(start: NormalInverseGamma, part: np.ndarray) -> NormalInverseGamma:
        if part.size == 0:
            return start
        return start.updated(part.size, float(part.mean()), float(part.var(ddof=1)) if part.size > 1 else 0.0)

    whole, parts = updated(prior, x), updated(updated(prior, x[:cut]), x[cut:])
    for name in ("m", "kappa", "a", "b"):
        assert getattr(parts, name) == pytest.approx(getattr(whole, name), rel=1e-9, abs=1e-9)


def test_the_means_marginal_and_its_interval_fit() -> None:
    found = normal_inverse_gamma(20, 1.7, 0.9, (0.0, 1.0, 1.0, 1.0))
    low, high = found.interval(0.9)
    assert found.probability_above(low) == pytest.approx(0.95)
    assert found.probability_above(high) == pytest.approx(0.05)
    assert normal_inverse_gamma(0, 5.0, 0.0, (1.0, 1.0, 1.0, 1.0)).deviation == inf
    with pytest.raises(ValueError, match="kappa"):
        normal_inverse_gamma(1, 0.0, 0.0, (0.0, 0.0, 1.0, 1.0))
