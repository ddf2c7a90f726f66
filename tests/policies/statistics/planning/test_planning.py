"""Do plans agree with one another, with textbooks and with simulation?"""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.statistics.kernel import critical
from policies.statistics.planning.design import ONE_LOOK, AlwaysValid, Fixed
from policies.statistics.planning.effect_size import (
    Plan,
    days_left,
    minimum_detectable_effect,
    minimum_detectable_lift,
    power,
    sample_size,
    unit_variance,
)
from policies.statistics.planning.textbook import (
    proportions_power,
    proportions_sample_size,
    t_test_power,
    t_test_sample_size,
)
from policies.statistics.result import NotEstimable

DESIGNS = st.sampled_from(
    [ONE_LOOK, Fixed(0.01, 1), AlwaysValid(n_star=20_000), AlwaysValid(), AlwaysValid(0.1, 500, 1)]
)
POWERS = st.floats(0.5, 0.99)


@given(st.floats(1e-4, 10), st.floats(1e-6, 1e4), POWERS, DESIGNS)
def test_the_sample_size_has_the_power_and_the_least_effect(
    effect: float, v: float, target: float, design: Fixed
) -> None:
    n = sample_size(effect, v, target, design)
    assert isinstance(n, float)
    assert minimum_detectable_effect(v, n, target, design) == pytest.approx(effect, rel=1e-6)
    assert power(effect, v, n, design) == pytest.approx(target, abs=1e-4)


@given(st.floats(0.01, 1), st.floats(0.1, 10), st.integers(100, 10**6), DESIGNS)
def test_power_grows_with_effect_and_shrinks_with_variance(
    effect: float, v: float, n: int, design: Fixed
) -> None:
    base = power(effect, v, n, design)
    assert power(2 * effect, v, n, design) >= base >= power(effect, 2 * v, n, design) - 1e-12
    assert power(-effect, v, n, design) == base


@given(st.floats(0.1, 100), st.floats(1e-3, 1e3))
def test_scaling_a_metric_scales_its_least_effect(v: float, scale: float) -> None:
    one = minimum_detectable_effect(v, 1000)
    assert minimum_detectable_effect(v * scale**2, 1000) == pytest.approx(scale * one)


def test_looking_at_any_time_costs_about_half_as_much_again() -> None:
    factor = AlwaysValid(n_star=40_000).critical(40_000) / ONE_LOOK.critical(40_000)
    assert 1.5 <= factor <= 1.6


def test_power_agrees_with_simulation() -> None:
    rng = np.random.default_rng(4)
    n, means = 400, (1.0, 1.15)
    a, b = (rng.normal(mean, 1.0, (20_000, n // 2)) for mean in means)
    z = (b.mean(axis=1) - a.mean(axis=1)) / np.sqrt((a.var(axis=1) + b.var(axis=1)) / (n // 2))
    assert power(0.15, unit_variance(1.0, 1.0), n) == pytest.approx(
        (np.abs(z) > critical(0.05)).mean(), abs=0.015
    )


@settings(max_examples=50)
@given(
    st.floats(0.05, 5), st.floats(0.01, 4), st.floats(0.01, 4), st.integers(5_000, 10**6), st.floats(0.1, 0.9)
)
def test_the_least_lift_is_its_own_standard_errors_multiple(
    mean: float, var_a: float, var_b: float, n: int, share: float
) -> None:
    found = minimum_detectable_lift(mean, var_a, var_b, n, share)
    if isinstance(found, NotEstimable):
        assert "not known well enough" in found.reason
        return
    n_a, n_b = n * (1 - share), n * share
    error = (var_b / n_b / mean**2 + (1 + found) ** 2 * var_a / n_a / mean**2) ** 0.5
    assert found == pytest.approx((critical(0.05) + 0.8416212335729143) * error, rel=1e-6)


def test_days_are_counted_from_what_is_left() -> None:
    plan, done = days_left(0.01, 0.006, 10_000, 2_500), days_left(0.5, 0.006, 10_000, 2_500)
    assert isinstance(plan, Plan)
    assert isinstance(done, Plan)
    assert plan.days_left == pytest.approx((plan.units - 10_000) / 2_500)
    assert (done.units_left, done.days_left) == (0.0, 0.0)
    idle = days_left(0.01, 0.006, 10_000, 0)
    assert isinstance(idle, Plan)
    assert idle.days_left == inf


@pytest.mark.parametrize(("found", "reason"), [
    (sample_size(0.0, 1.0), "no effect"), (sample_size(0.1, 0.0), "variance is zero"),
    (days_left(0.0, 1.0, 10, 1), "no effect"), (days_left(0.1, 1.0, 0, 1), "no units"),
    (minimum_detectable_lift(0.0, 1.0, 1.0, 100), "mean is zero"),
    (minimum_detectable_lift(0.01, 1.0, 1.0, 100), "not known well enough"),
    (t_test_sample_size(0.0), "no effect"), (proportions_sample_size(0.1, 0.1), "no effect"),
])  # fmt: skip
def test_what_no_number_of_units_shows_is_not_estimable(found: object, reason: str) -> None:
    assert isinstance(found, NotEstimable)
    assert reason in found.reason


@pytest.mark.parametrize("call", [
    lambda: power(0.1, 0.0, 10), lambda: sample_size(0.1, 1.0, 1.0), lambda: unit_variance(1.0, 1.0, 1.0),
    lambda: minimum_detectable_effect(1.0, 0), lambda: t_test_power(0.1, 1.0),
    lambda: proportions_power(0.0, 0.1, 10), lambda: proportions_sample_size(0.1, 0.2, variance="exact"),
    lambda: days_left(0.1, 0.1, 10, -1), lambda: AlwaysValid(alpha=2.0).critical(10),
])  # fmt: skip
def test_wrong_arguments_are_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match="must be"):
        call()


@settings(max_examples=30)
@given(st.floats(0.02, 3), POWERS, st.sampled_from([1, 2]))
def test_the_t_tests_sample_size_has_its_power(d: float, target: float, sides: int) -> None:
    n = t_test_sample_size(d, target, sides=sides)
    assert isinstance(n, float)
    assert t_test_power(d, n, sides=sides) >= target - 1e-6


@given(
    st.floats(0.05, 0.9),
    st.floats(0.01, 0.05),
    POWERS,
    st.sampled_from(["unpooled", "pooled_null", "arcsine"]),
)
def test_two_proportions_sample_size_has_its_power(
    p: float, gap: float, target: float, variance: str
) -> None:
    n = proportions_sample_size(p, p + gap, target, variance=variance)
    assert isinstance(n, float)
    assert proportions_power(p, p + gap, n, variance=variance) == pytest.approx(target, abs=1e-3)
