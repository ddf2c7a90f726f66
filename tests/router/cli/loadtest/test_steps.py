"""Are the rates those that were asked for, and are limits kept to?"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.cli.loadtest.steps import Limits, Step, broken, outrun, percentile, rates

LIMITS = Limits(errors=0.01, p99=0.5)


def step(due: int = 1000, failed: int = 0, late: int = 0, p99: float = 0.1) -> Step:
    return Step(
        rate=100,
        seconds=10,
        due=due,
        answered=due - failed,
        failed=failed,
        late=late,
        p50=0.01,
        p90=0.02,
        p99=p99,
        longest=1.0,
    )


@given(st.floats(0.1, 1e4), st.floats(0.1, 1e5), st.floats(1.05, 10))
def test_rates_rise_by_equal_factors_to_the_last(start: float, end: float, factor: float) -> None:
    found = rates(start, end, factor)
    assert found[-1] == end
    assert list(found) == sorted(found)
    steps = [later / earlier for earlier, later in pairwise(found)]
    assert all(each <= factor * 1.02 for each in steps)
    assert end <= start or found[0] == pytest.approx(start, abs=0.001)


def test_limits() -> None:
    assert broken(step(), LIMITS) is None
    assert broken(step(failed=10), LIMITS) is None
    assert broken(step(failed=11), LIMITS) == "1.10% of the requests failed; allowed: 1.00%"
    named = replace(step(failed=20), failures={"of status 503": 19, "no HTTP": 1})
    assert broken(named, LIMITS) == (
        "2.00% of the requests failed (19 of status 503, 1 no HTTP); allowed: 1.00%"
    )
    assert broken(step(p99=0.6), LIMITS) == "the 99th percentile was 600.0 ms; allowed: 500.0 ms"
    assert step(failed=100).throughput == 90


def test_a_sender_that_is_late_says_nothing_of_the_backend() -> None:
    assert not outrun(step(late=50))
    assert outrun(step(late=51))


@given(st.lists(st.floats(0, 10), min_size=1), st.floats(0.01, 0.99))
def test_a_percentile_is_a_value_that_the_share_does_not_exceed(values: list[float], share: float) -> None:
    found = percentile(sorted(values), share)
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values) + 1e-9
