"""How soon does a canary see a failing candidate, and how often does it blame a healthy one?"""

from __future__ import annotations

from datetime import timedelta
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench.simulations.canary import World, rollouts, steps_of, threshold_failures
from policies.canary.event_split import log_e_value
from policies.canary.pairs import Pair
from policies.canary.parameters import CanaryParameters
from policies.statistics.means import Mean
from policies.statistics.observed import ObservedMetric

LADDER = CanaryParameters(steps=steps_of(5, 25, 50), interval=timedelta(seconds=1))
Counts = NDArray[np.int64]


def test_a_candidate_that_fails_five_percent_is_rolled_back_within_seconds() -> None:
    """200 requests a second, 5 % of them for the candidate: ten."""
    for control_errors in (0.0, 0.001):
        world = World(control_errors=control_errors, candidate_errors=0.05)
        found = rollouts(30, world, LADDER, 120)
        assert {each.phase for each in found} == {"Failed"}
        assert median(each.seconds for each in found) <= 8


def test_healthy_ones_are_let_live_and_a_threshold_fails_most_of_them() -> None:
    world = World(control_errors=0.005, candidate_errors=0.005)
    assert all(each.phase == "Progressing" for each in rollouts(12, world, LADDER, 60))
    assert threshold_failures(60, world, seconds=120) > 0.3


def test_false_alarms_of_a_thousand_watched_at_every_second() -> None:
    """Ten requests a second of 200, then fifty; a minute each, and an error rate that triples for a while.

    The e-value changes when a request fails, so it is asked at each second in which one of the candidate did.
    """
    rng = np.random.default_rng(20240)
    runs, seconds = 1000, 60
    rate = np.where(np.arange(seconds) % 60 < 30, 0.002, 0.006)
    rates = np.array([[190, 10], [150, 50]])[:, None, :, None]
    requests = rng.poisson(rates, (2, runs, 2, seconds))  # of two epochs, by run, of control and candidate
    errors = rng.binomial(requests, rate)
    asked = requests.cumsum(axis=3), errors.cumsum(axis=3)
    alarms = sum(_alarmed(*(each[:, run] for each in asked), errors[:, run, 1]) for run in range(runs))
    assert alarms / runs < 0.02


def _alarmed(requests: Counts, errors: Counts, failed: Counts) -> bool:
    """Whether one canary was rolled back at any second of its two epochs, at alpha 0.01."""

    def pair(epoch: int, second: int) -> Pair:
        control, candidate = (
            _share(int(requests[epoch, each, second]), int(errors[epoch, each, second])) for each in (0, 1)
        )
        return Pair(control, candidate, units=1.0, shares=(control.count, candidate.count))

    last = requests.shape[2] - 1
    for second in np.flatnonzero(failed[0]):
        if _log_e([pair(0, second)]) >= np.log(100):
            return True
    return any(
        _log_e([pair(0, last), pair(1, second)]) >= np.log(100) for second in np.flatnonzero(failed[1])
    )


def _log_e(pairs: list[Pair]) -> float:
    return log_e_value(pairs, "unit")


def _share(requests: int, errors: int) -> ObservedMetric:
    return ObservedMetric(Mean.of_rate(errors, requests), float(requests), float(errors))
