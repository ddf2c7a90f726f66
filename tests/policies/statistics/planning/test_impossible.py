"""Are plans that no number of units fulfils refused, with what is allowed?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policies.statistics.planning.design import AlwaysValid, Fixed
from policies.statistics.planning.effect_size import (
    days_left,
    minimum_detectable_effect,
    minimum_detectable_lift,
    power,
    reachable,
    sample_size,
)
from policies.statistics.planning.textbook import proportions_sample_size, t_test_sample_size
from policies.statistics.result import NotEstimable

BELOW: list[Callable[[float], object]] = [
    lambda target: sample_size(0.1, 4.0, target),
    lambda target: sample_size(0.1, 4.0, target, AlwaysValid(n_star=1000)),
    lambda target: minimum_detectable_effect(4.0, 100, target),
    lambda target: minimum_detectable_lift(1.0, 1.0, 1.0, 1000, 0.5, target),
    lambda target: t_test_sample_size(0.2, target),
    lambda target: proportions_sample_size(0.1, 0.2, target),
]


@pytest.mark.parametrize("plan", BELOW)
@pytest.mark.parametrize("target", [0.0, 0.001, 0.05, 1.0, float("nan")])
def test_a_power_that_chance_alone_has_is_refused(plan: Callable[[float], object], target: float) -> None:
    with pytest.raises(ValueError, match=r"target must be in \((alpha|0), 1\)"):
        plan(target)


def test_the_power_without_an_effect_is_alpha() -> None:
    assert power(0.0, 4.0, 100) == pytest.approx(0.05)
    assert reachable(0.06, Fixed()) == 0.06
    assert sample_size(0.1, 4.0, 0.06) < sample_size(0.1, 4.0, 0.5)


def test_a_tuning_of_zero_is_not_taken_for_none() -> None:
    with pytest.raises(ValueError, match="n_star must be finite and > 0"):
        AlwaysValid(n_star=0.0).critical(100)


def test_a_report_at_a_very_large_alpha_has_no_days_left_rather_than_an_error() -> None:
    found = days_left(0.1, 0.05, 1000, 10, 0.8, Fixed(0.9))
    assert isinstance(found, NotEstimable)
    assert "not above alpha" in found.reason


def test_no_effect_and_no_variance_have_no_plan() -> None:
    assert isinstance(sample_size(0.0, 4.0), NotEstimable)
    assert isinstance(sample_size(0.1, 0.0), NotEstimable)
    assert isinstance(minimum_detectable_lift(0.0, 1.0, 1.0, 100), NotEstimable)
