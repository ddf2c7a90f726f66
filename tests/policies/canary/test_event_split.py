"""How many bad events does it take, and what may units and epochs do to that?"""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.canary.event_split import design_effect, log_e_value
from policies.canary.pairs import Pair
from policies.statistics.means import Mean
from policies.statistics.observed import ObservedMetric
from tests.policies.canary.worlds import metric


def share(events: int, requests: int) -> ObservedMetric:
    """Of events that are each a unit's own."""
    return ObservedMetric(Mean.of_rate(events, requests), float(requests), float(events))


def pair(control: ObservedMetric, candidate: ObservedMetric) -> Pair:
    return Pair(control, candidate, 1.0, (control.count, candidate.count))


def log_e(*pairs: Pair) -> float:
    return log_e_value(pairs, "unit")


@pytest.mark.parametrize(("events", "enough"), [(1, False), (2, False), (3, True), (4, True)])
def test_three_events_of_a_candidate_with_a_twentieth_are_enough_where_the_control_has_none(
    events: int, enough: bool
) -> None:
    assert (log_e(pair(share(0, 950), share(events, 50))) >= log(100)) == enough


@given(st.integers(0, 20), st.integers(1, 400), st.integers(20, 2000))
def test_the_more_the_control_fails_the_less_the_candidate_is_to_blame(
    events: int, more: int, requests: int
) -> None:
    candidate = share(events, 20)
    fewer = log_e(pair(share(0, requests), candidate))
    assert log_e(pair(share(min(more, requests), requests), candidate)) <= fewer + 1e-9


def test_an_epoch_without_an_event_says_little_and_a_new_one_that_fails_is_seen() -> None:
    quiet = pair(share(0, 9500), share(0, 500))
    failing = pair(share(1, 190), share(6, 10))
    assert log_e(quiet, failing) > log_e(failing) - 2.0 > log(100)


def test_events_of_few_units_count_as_few() -> None:
    """One in a hundred of the candidate's units has all of its events."""
    requests = np.full(100, 10)
    failed = np.zeros(100, np.int64)
    failed[0] = 10
    candidate = metric(requests, failed)
    assert 9 < design_effect(candidate) < 12
    control = share(0, 19_000)
    assert log_e(pair(control, candidate)) < log(100) < log_e(pair(control, share(10, 1000)))
    by_request = Pair(control, candidate, 1.0, (19.0, 1.0))
    assert log_e_value([by_request], "request") > log(100)
