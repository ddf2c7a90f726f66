"""Does each interval agree with its adjusted p-value, and do the adjustments keep their error rates?"""

from __future__ import annotations

from math import isclose

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policies.statistics.kernel import critical, two_sided
from policies.statistics.multiplicity.adjusted import ADJUSTMENTS, adjust
from policies.statistics.multiplicity.e_bh import e_adjusted, e_bh
from policies.statistics.multiplicity.levels import LEVELLED, interval_alphas

Z = st.lists(st.floats(-6.0, 6.0), min_size=1, max_size=12)


@pytest.mark.parametrize("method", LEVELLED)
@given(z=Z, alpha=st.sampled_from([0.01, 0.05, 0.2]))
def test_intervals_leave_out_zero_exactly_when_the_adjusted_p_is_below_alpha(
    method: str, z: list[float], alpha: float
) -> None:
    p_values = [two_sided(each) for each in z]
    adjusted, alphas = adjust(p_values, method), interval_alphas(p_values, alpha, method)
    assume(not any(isclose(p, alpha, rel_tol=1e-9) for p in adjusted))
    for each, p, level in zip(z, adjusted, alphas, strict=True):
        assert (abs(each) > critical(level)) == (p < alpha)
        assert 0.0 < level <= alpha


def test_what_stops_the_steps_down_holds_back_the_rest() -> None:
    """.04 is below its own .05, but Holm stopped at .03 > .025: both intervals are drawn at .025."""
    assert adjust([0.03, 0.04]) == (0.06, 0.06)
    assert interval_alphas([0.03, 0.04]) == (0.025, 0.025)
    assert interval_alphas([0.001, 0.04, 0.03]) == pytest.approx((0.05 / 3, 0.025, 0.025))


@pytest.mark.parametrize("method", ADJUSTMENTS)
@given(p_values=st.lists(st.floats(0.0, 1.0), max_size=12), seed=st.integers(0, 99))
def test_adjusted_values_only_grow_and_follow_their_hypotheses(
    method: str, p_values: list[float], seed: int
) -> None:
    adjusted = adjust(p_values, method)
    assert all(p - 1e-15 <= q <= 1.0 for p, q in zip(p_values, adjusted, strict=True))
    order = np.random.default_rng(seed).permutation(len(p_values))
    assert adjust([p_values[i] for i in order], method) == pytest.approx([adjusted[i] for i in order])
    by_p = [q for _, q in sorted(zip(p_values, adjusted, strict=True))]
    assert by_p == sorted(by_p)


@given(p_values=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
def test_the_methods_are_ordered_by_power(p_values: list[float]) -> None:
    rows = np.array([adjust(p_values, name) for name in ("bonferroni", "holm", "hochberg", "hommel")])
    assert (np.diff(rows, axis=0) <= 1e-12).all()
    assert (np.array(adjust(p_values, "benjamini_hochberg")) <= rows[-1] + 1e-12).all()


@given(log_e=st.lists(st.floats(-5.0, 50.0), max_size=12), alpha=st.floats(0.001, 0.5))
def test_e_bh_rejects_exactly_what_its_adjusted_values_say(log_e: list[float], alpha: float) -> None:
    adjusted = e_adjusted(log_e)
    assume(not any(isclose(p, alpha, rel_tol=1e-9) for p in adjusted))
    assert e_bh(log_e, alpha) == tuple(p < alpha for p in adjusted)


def test_family_wise_error_and_false_discoveries_in_simulation() -> None:
    """4,000 families of 10 tests, 7 without an effect: Holm errs in at most 5 % of them (2 s.e. allowed)."""
    rng, runs = np.random.default_rng(11), 4000
    z = rng.normal(size=(runs, 10)) + np.array([0.0] * 7 + [3.0] * 3)
    wrong = discoveries = 0.0
    for row in z:
        p_values = [two_sided(each) for each in row]
        wrong += min(adjust(p_values, "holm")[:7]) < 0.05
        found = np.array(adjust(p_values, "benjamini_hochberg")) < 0.05
        discoveries += found[:7].sum() / max(found.sum(), 1)
    assert 0.02 < wrong / runs < 0.05 + 2 * 0.0035
    assert 0.02 < discoveries / runs < 0.05
