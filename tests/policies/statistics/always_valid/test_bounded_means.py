"""Do the sequences for means of bounded values keep their laws?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.statistics.always_valid.betting import betting
from policies.statistics.always_valid.empirical_bernstein import empirical_bernstein
from policies.statistics.result import Estimate, NotEstimable


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
