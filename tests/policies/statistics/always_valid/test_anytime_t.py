"""Does the anytime-valid t-test keep its laws?"""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.statistics.always_valid.anytime_t import anytime_t
from policies.statistics.result import Estimate, NotEstimable


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
