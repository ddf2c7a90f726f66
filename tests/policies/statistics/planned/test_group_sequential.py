"""Do planned looks spend the error they may, and no more?"""

from __future__ import annotations

from math import inf, isinf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.statistics.kernel import critical, two_sided
from policies.statistics.planned.group_sequential import (
    crossing_probabilities,
    group_sequential,
    obrien_fleming_constant,
    planned_look,
    pocock_constant,
)
from policies.statistics.planned.spending import KNOWN, spent
from policies.statistics.result import Estimate, NotEstimable

TIMES = st.lists(st.integers(1, 100), min_size=1, max_size=6, unique=True).map(
    lambda cuts: [cut / max(cuts) for cut in sorted(cuts)]
)


@settings(max_examples=40, deadline=None)
@given(TIMES, st.floats(0.001, 0.2), st.sampled_from(KNOWN), st.sampled_from([1, 2]))
def test_all_looks_together_spend_alpha(times: list[float], alpha: float, spending: str, sides: int) -> None:
    schedule = group_sequential(times, alpha, sides, spending, phi=2.0)
    exits = crossing_probabilities(times, schedule.z, sides=sides)
    assert exits == pytest.approx(schedule.spent, rel=1e-5, abs=1e-12)
    assert exits[-1] == pytest.approx(alpha, rel=1e-6)


@pytest.mark.parametrize("spending", KNOWN)
@given(st.floats(0, 3), st.floats(0, 3), st.floats(1e-6, 0.5))
def test_spending_grows_from_0_to_alpha(spending: str, one: float, other: float, alpha: float) -> None:
    low, high = sorted((one, other))
    assert 0.0 <= spent(low, alpha, spending) <= spent(high, alpha, spending) <= alpha * (1 + 1e-12)
    assert spent(0.0, alpha, spending) == 0.0
    assert spent(1.0, alpha, spending) == pytest.approx(alpha)


def test_one_look_is_the_fixed_test() -> None:
    assert group_sequential([1.0]).z[0] == pytest.approx(critical(0.05), rel=1e-9)
    found = planned_look(0.02, 0.01, [1.0])
    assert isinstance(found, Estimate)
    assert found.p_value == pytest.approx(two_sided(2.0), rel=1e-4)


def test_the_quadrature_agrees_with_simulation() -> None:
    rng = np.random.default_rng(7)
    z = group_sequential([0.25, 0.5, 1.0], 0.05, 2, "pocock").z
    walk = (rng.normal(size=(400_000, 3)) * np.sqrt([0.25, 0.25, 0.5])).cumsum(axis=1)
    walk = (walk + 2.5 * np.array([0.25, 0.5, 1.0])) / np.sqrt([0.25, 0.5, 1.0])
    simulated = (np.maximum.accumulate(np.abs(walk) > z, axis=1)).mean(axis=0)
    assert crossing_probabilities([0.25, 0.5, 1.0], z, drift=2.5) == pytest.approx(simulated, abs=0.003)


@pytest.mark.parametrize(
    ("looks", "pocock", "obf"), [(2, 2.178, 1.977), (3, 2.289, 2.004), (5, 2.413, 2.040)]
)
def test_constants_are_the_published_ones(looks: int, pocock: float, obf: float) -> None:
    assert pocock_constant(looks) == pytest.approx(pocock, abs=6e-4)
    assert obrien_fleming_constant(looks) == pytest.approx(obf, abs=6e-4)


@settings(max_examples=20, deadline=None)
@given(st.floats(-8, 8), st.sampled_from(KNOWN), st.sampled_from([1, 2]))
def test_the_repeated_interval_and_p_value_agree(z: float, spending: str, sides: int) -> None:
    found = planned_look(z, 1.0, [0.3, 0.7], sides=sides, spending=spending)
    assert isinstance(found, Estimate)
    assert found.p_value is not None
    excludes = found.low > 0.0 or found.high < 0.0
    assert abs(min(abs(found.low), abs(found.high))) < 1e-4 or (found.p_value < 0.05) == excludes


def test_a_far_z_has_a_p_value_in_the_far_tail() -> None:
    found = planned_look(25.0, 1.0, [0.5, 1.0])
    assert isinstance(found, Estimate)
    assert found.p_value is not None
    assert 0.0 < found.p_value < 1e-130


def test_after_the_planned_end_nothing_is_left() -> None:
    schedule = group_sequential([0.5, 1.1, 1.4])
    assert isinf(schedule.z[2])
    assert schedule.spent[1] == pytest.approx(0.05)
    late = planned_look(0.1, 0.01, [0.5, 1.1, 1.4])
    assert isinstance(late, NotEstimable)
    assert "no error is left" in late.reason


def test_zero_error_is_not_estimable() -> None:
    assert isinstance(planned_look(0.1, 0.0, [0.5]), NotEstimable)


@pytest.mark.parametrize("times", [[], [0.5, 0.5], [0.0, 1.0], [0.5, inf]])
def test_times_that_do_not_increase_are_refused(times: list[float]) -> None:
    with pytest.raises(ValueError, match="information"):
        group_sequential(times)


def test_an_unknown_spending_is_refused_by_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'pocock'"):
        spent(0.5, 0.05, "pocok")
    with pytest.raises(ValueError, match="z must have 2 values"):
        crossing_probabilities([0.5, 1.0], [2.0])


def test_looks_close_together_cost_next_to_nothing() -> None:
    # A pair of looks so close is nearly one: the last boundary moves by as little. All pairs of nodes of the
    # grids that such looks need would take gigabytes.
    close = group_sequential([0.5, 0.50001, 0.50002, 1.0]).z
    apart = group_sequential([0.5, 1.0]).z
    assert close[0] == apart[0]
    assert close[-1] == pytest.approx(apart[-1], abs=1e-3)
    assert all(later > close[0] for later in close[1:3])  # next to nothing is left to spend there


def test_looks_that_are_one_for_every_purpose_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must grow by 1e-06 of itself, got 0\.50000001 after 0\.5"):
        group_sequential([0.5, 0.50000001])
