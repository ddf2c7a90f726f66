"""Does the asymptotic confidence sequence keep its laws?"""

from __future__ import annotations

from math import inf, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from policies.statistics.always_valid.asymptotic import (
    confidence_sequence,
    critical_value,
    half_width,
    optimum,
    p_value,
)
from policies.statistics.kernel import critical
from policies.statistics.result import Estimate, NotEstimable

ESTIMATES = st.floats(-1e6, 1e6)
ERRORS = st.floats(1e-6, 1e6)
UNITS = st.integers(50, 10**9)
SIDES = st.sampled_from([1, 2])


def sequence(estimate: float, error: float, n: float, **more: object) -> Estimate:
    found = confidence_sequence(estimate, error, n, n_star=5000, **more)
    assert isinstance(found, Estimate)
    return found


@given(ESTIMATES, ERRORS, UNITS, SIDES)
def test_interval_and_p_value_agree_about_zero(estimate: float, error: float, n: int, sides: int) -> None:
    found = sequence(estimate, error, n, sides=sides)
    assert found.p_value is not None
    outside = found.low > 0.0 or found.high < 0.0
    edge = min(abs(found.low), abs(found.high)) < 1e-9 * error
    assert edge or (found.p_value < 0.05) == outside


@given(ESTIMATES, ERRORS, UNITS)
def test_swapping_the_variants_flips_the_sign_and_keeps_p(estimate: float, error: float, n: int) -> None:
    one, other = sequence(estimate, error, n), sequence(-estimate, error, n)
    assert (one.low, one.high, one.p_value) == (-other.high, -other.low, other.p_value)


@given(ESTIMATES, ERRORS, UNITS, st.floats(1e-3, 1e3))
def test_scaling_the_metric_scales_the_interval(estimate: float, error: float, n: int, scale: float) -> None:
    one, other = sequence(estimate, error, n), sequence(scale * estimate, scale * error, n)
    assert other.low == pytest.approx(scale * one.low, rel=1e-9, abs=1e-9 * scale * error)
    assert other.p_value == pytest.approx(one.p_value, rel=1e-6)


@given(UNITS, st.floats(1e-6, 0.4), st.integers(100, 10**7), SIDES)
def test_it_is_wider_than_one_look(n: int, alpha: float, n_star: int, sides: int) -> None:
    assert critical_value(n, alpha, n_star, sides) > critical(alpha, sides=sides)


@given(UNITS, st.floats(1e-6, 0.1))
def test_one_side_is_narrower_where_both_are_tuned_for(n: int, alpha: float) -> None:
    assert critical_value(n, alpha, n, 1) < critical_value(n, alpha, n, 2)


@pytest.mark.parametrize("alpha", [0.05, 0.01, 1e-6])
def test_the_exact_optimum_is_the_minimum(alpha: float) -> None:
    found = minimize_scalar(
        lambda x: (x + 1) / x * log((x + 1) / alpha**2), bounds=(0.1, 100), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    assert optimum(alpha, "exact") == pytest.approx(found.x, rel=1e-5)


@pytest.mark.parametrize("sides", [1, 2])
def test_it_is_narrowest_for_its_size_near_n_star(sides: int) -> None:
    at = [critical_value(n, 0.05, 10_000, sides) for n in (1_000, 10_000, 100_000)]
    assert at[1] < at[0]
    assert at[1] < at[2] < at[1] * 1.4


@given(st.floats(0.0, 1e150), SIDES)
def test_a_far_z_neither_overflows_nor_leaves_0_to_1(z: float, sides: int) -> None:
    assert 0.0 <= p_value(z, 1000, 0.05, 1000, sides) <= 1.0


def test_a_p_value_of_a_far_tail_is_not_zero() -> None:
    assert 0.0 < p_value(35.0, 100_000, 0.05, 5000) < 1e-200


@given(st.floats(0.0, 30.0), SIDES)
def test_a_larger_z_never_has_a_larger_p(z: float, sides: int) -> None:
    assert p_value(z + 0.1, 1000, 0.05, 1000, sides) <= p_value(z, 1000, 0.05, 1000, sides)


def test_one_side_has_no_upper_end() -> None:
    assert sequence(1.0, 0.1, 1000, sides=1).high == inf


@pytest.mark.parametrize(("error", "n", "reason"), [(0.0, 1000, "zero"), (0.1, 49, "fewer than the 50")])
def test_too_little_is_not_estimable(error: float, n: int, reason: str) -> None:
    found = confidence_sequence(0.1, error, n, n_star=1000)
    assert isinstance(found, NotEstimable)
    assert reason in found.reason


@pytest.mark.parametrize("wrong", [
    {"alpha": 0.0}, {"alpha": 0.6, "sides": 1}, {"sides": 3}, {"n_star": 0.0}, {"tuning": "best"}
])  # fmt: skip
def test_wrong_arguments_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        confidence_sequence(0.1, 0.1, 1000, **{"n_star": 1000, **wrong})


def test_the_half_width_is_linear_in_the_standard_error() -> None:
    assert half_width(2.0, 500, 0.05, 500) == pytest.approx(2.0 * half_width(1.0, 500, 0.05, 500))
    assert half_width(1.0, 1e9, 0.05, 1e9) == pytest.approx(sqrt(9.2119681 / 8.2119681 * 8.2037), rel=0.01)
