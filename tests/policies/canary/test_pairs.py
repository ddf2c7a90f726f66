"""Are parts of the control's units together what they would have been as one?"""

from __future__ import annotations

from math import inf, isclose

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.canary.event_split import design_effect
from policies.canary.pairs import together
from policies.statistics.observed import ObservedMetric
from tests.policies.canary.worlds import metric


@st.composite
def parts(draw: st.DrawFn) -> list[ObservedMetric]:
    """A few metrics, each of one to twenty units with some requests, of which some failed."""
    found = []
    for _ in range(draw(st.integers(2, 3))):
        units = draw(st.integers(1, 20))
        requests = np.array(draw(st.lists(st.integers(1, 50), min_size=units, max_size=units)))
        failed = np.array([draw(st.integers(0, int(each))) for each in requests])
        found.append(metric(requests, failed))
    return found


@given(parts())
def test_counts_add_up_and_the_order_does_not_matter(some: list[ObservedMetric]) -> None:
    whole = together(some)
    assert (whole.count, whole.total) == (sum(x.count for x in some), sum(x.total for x in some))
    assert isclose(whole.mean.value, whole.total / whole.count, abs_tol=1e-12)
    other = together(some[::-1])
    assert isclose(whole.mean.variance, other.mean.variance, abs_tol=1e-12)
    assert 1.0 <= design_effect(whole) < inf


def test_one_part_is_itself() -> None:
    part = metric(np.array([3, 4, 5]), np.array([0, 1, 5]))
    assert together([part]) is part


def test_two_halves_of_the_units_vary_as_all_of_them() -> None:
    rng = np.random.default_rng(9)
    requests = rng.poisson(20, 2000) + 1
    failed = rng.binomial(requests, rng.beta(0.5, 10, 2000))  # some units fail more than others
    whole = together([metric(requests[:700], failed[:700]), metric(requests[700:], failed[700:])])
    alone = metric(requests, failed)
    assert (whole.count, whole.total, whole.mean.n) == (alone.count, alone.total, alone.mean.n)
    assert isclose(whole.mean.value, alone.mean.value)
    assert isclose(whole.mean.variance, alone.mean.variance, rel_tol=0.01)
    assert design_effect(alone) > 1.5
    assert isclose(design_effect(whole), design_effect(alone), rel_tol=0.01)


def test_of_a_part_with_one_unit_all_events_come_at_once() -> None:
    whole = together([metric(np.array([50]), np.array([40])), metric(np.full(500, 2), np.zeros(500, int))])
    assert whole.mean.variance == pytest.approx((40 / 1050) ** 2)
    assert whole.total / design_effect(whole) < 1.1
