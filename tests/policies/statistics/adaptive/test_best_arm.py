"""Are the best arm's proportions well defined, however near the best means are?"""

from __future__ import annotations

import pytest

from policies.statistics.adaptive.best_arm import Family, Proportions, optimal_proportions
from policies.statistics.result import NotEstimable


@pytest.mark.parametrize("gap", [1e-7, 1e-10, 1e-14, 1e-16])
@pytest.mark.parametrize("family", ["bernoulli", "gaussian"])
def test_means_that_are_nearly_tied_are_not_told_apart(gap: float, family: Family) -> None:
    for means in ([0.5, 0.5 - gap], [0.5, 0.5 - gap, 0.3], [0.5 - gap, 0.3, 0.5]):
        assert isinstance(optimal_proportions(means, family), NotEstimable)


def test_a_gap_that_is_small_gives_both_the_same() -> None:
    found = optimal_proportions([0.5, 0.5 - 2e-6, 0.3])
    assert isinstance(found, Proportions)
    assert found.shares == pytest.approx((0.5, 0.5, 0.0), abs=1e-4)
