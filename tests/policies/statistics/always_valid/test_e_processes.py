"""Do the e-processes, mixtures and bets keep their laws?"""

from __future__ import annotations

from math import exp, inf, log, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from policies.statistics.always_valid.anytime_t import anytime_t
from policies.statistics.always_valid.asymptotic import critical_value, rho
from policies.statistics.always_valid.beta_binomial import beta_binomial, beta_binomial_log_e
from policies.statistics.always_valid.betting import betting
from policies.statistics.always_valid.e_values import e_value_mean, e_value_product
from policies.statistics.always_valid.empirical_bernstein import empirical_bernstein
from policies.statistics.always_valid.gamma_exponential import gamma_exponential_bound
from policies.statistics.always_valid.msprt import msprt
from policies.statistics.always_valid.normal_mixture import (
    normal_log_mixture,
    normal_mixture_bound,
    normal_mixture_rho,
)
from policies.statistics.always_valid.polynomial_stitching import polynomial_stitching_bound
from policies.statistics.always_valid.sequential_multinomial import (
    log_bayes_factor,
    log_bayes_factor_above,
    sequential_multinomial,
)
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.result import Test as Verdict

COUNTS = st.integers(0, 10**6)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.93])
@pytest.mark.parametrize("n", [1, 7, 60])
def test_the_multinomial_e_value_has_mean_one_under_equal_rates(share: float, n: int) -> None:
    events = np.arange(n + 1)
    chance = binom.pmf(events, n, share)
    values = [exp(log_bayes_factor([n - k, k], [1 - share, share], 30.0)) for k in events]
    assert chance @ values == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("truth", [0.3, 0.2, 0.05])
def test_the_one_sided_e_value_has_mean_at_most_one_at_or_below_the_share(truth: float) -> None:
    events = np.arange(41)
    values = [exp(log_bayes_factor_above((40 - k, k), (0.7, 0.3), 30.0)) for k in events]
    mean = binom.pmf(events, 40, truth) @ values
    assert mean <= 1.0 + 1e-9
    assert (mean > 1.0 - 1e-9) == (truth == 0.3)


@given(st.lists(st.tuples(COUNTS, st.floats(0.01, 1.0)), min_size=2, max_size=5))
def test_the_order_of_variants_does_not_matter(variants: list[tuple[int, float]]) -> None:
    def evidence(each: list[tuple[int, float]]) -> float:
        return log_bayes_factor([count for count, _ in each], [share for _, share in each], 100.0)

    scale = max(1.0, sum(count for count, _ in variants))
    assert evidence(variants) == pytest.approx(evidence(variants[::-1]), abs=1e-9 * scale)


def test_epochs_multiply_and_a_paused_variant_does_not_count() -> None:
    both = sequential_multinomial([[30, 52, 0], [11, 9, 4]], [[0.5, 0.5, 0.0], [0.4, 0.4, 0.2]])
    one = sequential_multinomial([[30, 52]], [[0.5, 0.5]])
    other = sequential_multinomial([[11, 9, 4]], [[0.4, 0.4, 0.2]])
    assert isinstance(both, Verdict)
    assert isinstance(one, Verdict)
    assert isinstance(other, Verdict)
    assert both.statistic == pytest.approx(one.statistic + other.statistic)
    assert both.detail("epochs") == 2


def test_a_canary_with_far_more_errors_is_seen_and_one_with_fewer_is_not_blamed() -> None:
    worse = sequential_multinomial([[900, 300]], [[0.9, 0.1]], sides=1)
    better = sequential_multinomial([[990, 10]], [[0.9, 0.1]], sides=1)
    assert isinstance(worse, Verdict)
    assert isinstance(better, Verdict)
    assert worse.p_value is not None
    assert worse.p_value < 1e-20
    assert better.p_value == 1.0


def test_a_very_large_count_neither_overflows_nor_loses_its_sign() -> None:
    found = sequential_multinomial([[10**9, 2 * 10**9]], [[0.5, 0.5]], sides=1)
    assert isinstance(found, Verdict)
    assert found.log_e_value is not None
    assert 1e7 < found.log_e_value < inf


@pytest.mark.parametrize(("counts", "shares", "reason"), [
    ([[0, 0]], [[0.5, 0.5]], "no event"), ([[5, 0]], [[1.0, 0.0]], "no epoch"), ([], [], "no epoch")
])  # fmt: skip
def test_no_event_and_no_second_variant_are_not_estimable(counts: list, shares: list, reason: str) -> None:
    found = sequential_multinomial(counts, shares)
    assert isinstance(found, NotEstimable)
    assert reason in found.reason


@pytest.mark.parametrize(("counts", "shares", "words"), [
    ([[1, 2]], [[1.0, 0.0]], "share 0"), ([[-1, 2]], [[0.5, 0.5]], "count"),
    ([[1]], [[0.5, 0.5]], "variants"),
    ([[1, 2]], [], "epochs"), ([[1, 2]], [[-0.5, 1.5]], "share"),
])  # fmt: skip
def test_counts_that_do_not_fit_are_refused(counts: list, shares: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sequential_multinomial(counts, shares)


def test_one_side_of_three_variants_is_refused() -> None:
    with pytest.raises(ValueError, match="compares two variants, got 3"):
        sequential_multinomial([[1, 2, 3]], [[0.4, 0.3, 0.3]], sides=1)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20))
def test_the_product_is_at_most_the_largest_power_and_the_mean_lies_between(logs: list[float]) -> None:
    product, mean = e_value_product(logs), e_value_mean(logs)
    assert isinstance(product, Verdict)
    assert isinstance(mean, Verdict)
    assert product.log_e_value == pytest.approx(sum(logs))
    assert mean.log_e_value is not None
    assert min(logs) - 1e-9 <= mean.log_e_value <= max(logs) + 1e-9


def test_an_e_value_of_zero_ends_the_bet() -> None:
    lost = e_value_product([-inf, inf])
    assert isinstance(lost, Verdict)
    assert (lost.log_e_value, lost.p_value) == (-inf, 1.0)
    averaged = e_value_mean([-inf, 0.0])
    assert isinstance(averaged, Verdict)
    assert averaged.log_e_value == pytest.approx(log(0.5))
    gone = e_value_mean([-inf, -inf])
    assert isinstance(gone, Verdict)
    assert gone.log_e_value == -inf


@pytest.mark.parametrize("combine", [e_value_product, e_value_mean])
def test_no_e_value_is_not_estimable_and_nan_is_refused(combine: object) -> None:
    assert callable(combine)
    assert isinstance(combine([]), NotEstimable)
    with pytest.raises(ValueError, match="nan"):
        combine([0.1, nan])


@given(st.floats(-100, 100), st.floats(1e-3, 10), st.floats(1e-3, 10))
def test_the_msprt_interval_and_p_value_agree(estimate: float, error: float, tau: float) -> None:
    found = msprt(estimate, error, tau)
    assert isinstance(found, Estimate)
    assert found.p_value is not None
    edge = min(abs(found.low), abs(found.high)) < 1e-9 * error
    assert edge or (found.p_value < 0.05) == (found.low > 0 or found.high < 0)


def test_msprt_with_tau_of_the_mixture_is_the_asymptotic_sequence() -> None:
    error, n, n_star = 0.01, 4000.0, 5000.0
    tau = error * rho(0.05, n_star) * n**0.5
    found = msprt(0.02, error, tau)
    assert isinstance(found, Estimate)
    assert (found.high - found.low) / (2 * error) == pytest.approx(critical_value(n, 0.05, n_star))


def test_msprt_of_zero_error_is_not_estimable() -> None:
    assert isinstance(msprt(0.1, 0.0, 1.0), NotEstimable)


@settings(max_examples=60)
@given(st.integers(1, 5000), st.floats(0.0, 1.0), st.floats(0.001, 0.999))
def test_the_rates_interval_holds_what_its_e_value_does_not_reject(n: int, part: float, rate: float) -> None:
    wins = round(part * n)
    found = beta_binomial(wins, n, t_opt=500, rate=rate)
    assert isinstance(found, Estimate)
    assert 0.0 <= found.low <= found.estimate <= found.high <= 1.0
    assert found.p_value is not None
    inside = found.low <= rate <= found.high
    edge = min(abs(rate - found.low), abs(rate - found.high)) < 1e-9
    assert edge or inside == (found.p_value > 0.05)
    swapped = beta_binomial(n - wins, n, t_opt=500)
    assert isinstance(swapped, Estimate)
    assert swapped.low == pytest.approx(1.0 - found.high, abs=1e-7)


def test_the_beta_binomial_e_value_has_mean_one_at_the_true_rate() -> None:
    wins = np.arange(51)
    values = [exp(beta_binomial_log_e(float(k), 50, 0.2, 100)) for k in wins]
    assert binom.pmf(wins, 50, 0.2) @ values == pytest.approx(1.0, rel=1e-9)


def test_a_rate_of_nothing_is_not_estimable_and_more_wins_than_trials_are_refused() -> None:
    assert isinstance(beta_binomial(0, 0), NotEstimable)
    with pytest.raises(ValueError, match="at most trials"):
        beta_binomial(3, 2)
    with pytest.raises(ValueError, match="rate"):
        beta_binomial(1, 2, rate=1.5)
    assert beta_binomial_log_e(1, 2, 0.0, 100) == inf
    assert beta_binomial_log_e(2, 2, 1.0, 100) == 0.0


@settings(max_examples=40)
@given(st.floats(1, 1e5), st.floats(1e-4, 0.2), st.floats(1, 1e5))
def test_boundaries_are_where_the_mixtures_reach_one_over_alpha(v: float, alpha: float, v_opt: float) -> None:
    for sides in (1, 2):
        bound = normal_mixture_bound(v, alpha, v_opt, sides=sides)
        rate = normal_mixture_rho(v_opt, sides=sides)
        assert normal_log_mixture(bound, v, rate, sides) == pytest.approx(-log(alpha), abs=1e-6)
    sub_exponential = gamma_exponential_bound(v, alpha, v_opt, c=1.0)
    assert sub_exponential > normal_mixture_bound(v, alpha, v_opt, sides=1) * 0.99
    assert polynomial_stitching_bound(v, alpha, 1.0, c=1.0) > polynomial_stitching_bound(v, alpha, 1.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=200))
def test_bets_hold_the_mean_and_mirror_with_the_values(values: list[float]) -> None:
    found, mirrored = betting(values), betting([1.0 - value for value in values])
    assert isinstance(found, Estimate)
    assert isinstance(mirrored, Estimate)
    assert found.low <= found.estimate <= found.high
    assert found.low == pytest.approx(1.0 - mirrored.high, abs=0.0021)


def test_bets_narrow_with_data() -> None:
    widths = []
    for n in (50, 500, 5000):
        found = betting(np.tile([0.0, 1.0, 0.0, 0.0, 0.0], n // 5))
        assert isinstance(found, Estimate)
        widths.append(found.high - found.low)
    assert widths[0] > 2 * widths[1] > 4 * widths[2]


def test_bets_refuse_values_outside_and_need_one() -> None:
    assert isinstance(betting([]), NotEstimable)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        betting([0.5, 1.5])
    with pytest.raises(ValueError, match="one dimension"):
        betting(np.zeros((2, 2)))


@given(
    st.integers(2, 5000), st.integers(2, 5000), st.floats(-5, 5), st.floats(0.01, 10), st.floats(0.1, 1000)
)
def test_the_anytime_t_test_agrees_with_its_interval(
    n: int, m: int, gap: float, s2: float, phi: float
) -> None:
    found, swapped = anytime_t((n, 0.0, s2), (m, gap, s2), phi), anytime_t((m, gap, s2), (n, 0.0, s2), phi)
    assert isinstance(found, Estimate)
    assert isinstance(swapped, Estimate)
    assert found.p_value is not None
    assert swapped.p_value == pytest.approx(found.p_value)
    assert swapped.estimate == -found.estimate
    edge = min(abs(found.low), abs(found.high)) < 1e-7
    assert edge or (found.p_value < 0.05) == (found.low > 0 or found.high < 0)


@pytest.mark.parametrize(("a", "b", "reason"), [
    ((0, 0.0, 0.0), (9, 1.0, 1.0), "empty"), ((1, 0.0, 0.0), (1, 1.0, 0.0), "fewer than 3"),
    ((9, 1.0, 0.0), (9, 2.0, 0.0), "variance is zero"),
])  # fmt: skip
def test_the_anytime_t_test_needs_variation(a: tuple, b: tuple, reason: str) -> None:
    found = anytime_t(a, b, phi=1.0)
    assert isinstance(found, NotEstimable)
    assert reason in found.reason


def test_the_anytime_t_interval_is_unbounded_while_nothing_could_reject() -> None:
    found = anytime_t((2, 0.0, 1.0), (2, 1.0, 1.0), phi=100.0, alpha=0.001)
    assert isinstance(found, Estimate)
    assert (found.low, found.high) == (-inf, inf)


@settings(max_examples=40)
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=300))
def test_the_bernstein_interval_mirrors_with_the_values(values: list[float]) -> None:
    found, mirrored = empirical_bernstein(values), empirical_bernstein([1.0 - value for value in values])
    assert isinstance(found, Estimate)
    assert isinstance(mirrored, Estimate)
    assert (found.low, found.high) == pytest.approx((1.0 - mirrored.high, 1.0 - mirrored.low), abs=1e-9)


def test_the_bernstein_interval_is_narrower_for_less_variance_and_bets_are_about_as_wide() -> None:
    rng = np.random.default_rng(1)
    wide, narrow = rng.random(2000).round(), rng.uniform(0.45, 0.55, 2000)
    widths = []
    for values in (wide, narrow):
        closed, bets = empirical_bernstein(values), betting(values)
        assert isinstance(closed, Estimate)
        assert isinstance(bets, Estimate)
        assert closed.low < 0.5 < closed.high
        assert bets.high - bets.low < 1.1 * (closed.high - closed.low) + 0.003
        widths.append(closed.high - closed.low)
    assert widths[1] < widths[0] / 3
    assert isinstance(empirical_bernstein([]), NotEstimable)
    for wrong in ([2.0], np.zeros((2, 2))):
        with pytest.raises(ValueError, match="values must"):
            empirical_bernstein(wrong)


def test_the_bernstein_sequence_holds_the_mean_at_all_times() -> None:
    rng = np.random.default_rng(2)
    missed = 0
    for _ in range(200):
        x = (rng.random(400) < 0.2).astype(float)
        looks = [empirical_bernstein(x[:n]) for n in range(20, 401, 20)]
        missed += any(not isinstance(each, Estimate) or not each.low <= 0.2 <= each.high for each in looks)
    assert missed <= 10
