"""Are the tracking shares the optimal proportions, and shares for whatever means there are?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.bandit.proportions import tracking_shares
from policies.statistics.adaptive.best_arm import Family, optimal_proportions


@pytest.mark.parametrize("family", ["bernoulli", "gaussian"])
def test_for_means_well_apart_they_are_the_optimal_proportions(family: Family) -> None:
    rng = np.random.default_rng(6)
    for count in (2, 3, 10):
        means = (np.linspace(0.05, 0.9, count) + rng.uniform(0, 0.02, count)).tolist()
        expected = optimal_proportions(means, family)
        assert tracking_shares(means, family) == pytest.approx(expected.shares, abs=1e-4)


@given(st.lists(st.floats(1e-12, 1 - 1e-12), min_size=1, max_size=5))
def test_they_are_shares_for_any_rates(means: list[float]) -> None:
    found = tracking_shares(means, "bernoulli")
    assert sum(found) == pytest.approx(1.0)
    assert min(found) >= 0.0


@given(st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=5))
def test_they_are_shares_for_any_means(means: list[float]) -> None:
    found = tracking_shares(means, "gaussian")
    assert sum(found) == pytest.approx(1.0)
    assert min(found) >= 0.0


def test_near_ties_come_to_what_ties_have() -> None:
    assert tracking_shares([0.5, 0.5 - 1e-12, 0.2], "bernoulli") == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)
