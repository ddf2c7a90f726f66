"""Do the e-values and mixtures keep their laws?"""

from __future__ import annotations

from math import exp, inf, log, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from policies.statistics.always_valid.asymptotic import critical_value, rho
from policies.statistics.always_valid.beta_binomial import beta_binomial, beta_binomial_log_e
from policies.statistics.always_valid.e_values import e_value_mean, e_value_product
from policies.statistics.always_valid.gamma_exponential import gamma_exponential_bound
from policies.statistics.always_valid.msprt import msprt
from policies.statistics.always_valid.normal_mixture import (
    normal_log_mixture,
    normal_mixture_bound,
    normal_mixture_rho,
)
from policies.statistics.always_valid.polynomial_stitching import polynomial_stitching_bound
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.result import Test as Verdict


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
