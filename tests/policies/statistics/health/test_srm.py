"""Is a split that is off found, and a fair one left alone, looked at once or all the time?"""

from __future__ import annotations

import numpy as np
import pytest

from policies.statistics.health.sequential_srm import sequential_srm, sequential_srm_over_epochs
from policies.statistics.health.srm import srm, srm_over_epochs

FIFTY = [0.5, 0.5]


def test_a_split_of_50_7_to_49_3_is_found_at_100_000_units() -> None:
    counts = [50_700, 49_300]
    assert srm(counts, FIFTY).p_value < 0.001
    assert sequential_srm(counts, FIFTY).p_value < 0.001


def test_fair_streams_stay_silent_however_often_they_are_looked_at() -> None:
    """1,000 fair streams of 100,000 units with a look each 1,000: at most 1 in 1,000 ever alarms.

    The chi-square at the same level, looked at as often, alarms several times as often as it promises.
    """
    rng, streams, looks, step = np.random.default_rng(3), 1000, 100, 1000
    a = rng.binomial(step, 0.5, (streams, looks)).cumsum(axis=1)
    n = np.arange(1, looks + 1) * step
    sequential = peeked = 0
    for row in a:
        # The statistic grows with |a - n/2| at each n, so only the looks that could alarm are computed.
        z = np.abs(row - n / 2) / np.sqrt(n / 4)
        counts = [(int(row[i]), int(n[i] - row[i])) for i in np.flatnonzero(z > 2.5)]
        sequential += any(sequential_srm(pair, FIFTY).p_value < 0.001 for pair in counts)
        peeked += any(srm(pair, FIFTY).p_value < 0.001 for pair in counts)
    assert sequential <= 1
    assert peeked >= 5


def test_sticky_users_do_not_alarm_the_combined_test() -> None:
    """The same 20,000 users, dealt once, seen in 20 epochs: their luck is counted once, not 20 times."""
    rng, alarms, summed, runs = np.random.default_rng(5), 0, 0, 2000
    for a in rng.binomial(20_000, 0.5, runs):
        tests = [srm([int(a), 20_000 - int(a)], FIFTY)] * 20
        alarms += srm_over_epochs(tests).p_value < 0.01
        summed += srm_over_epochs(tests, same_units=False).p_value < 0.01
    assert alarms / runs <= 0.01
    assert summed / runs > 0.05


def test_counting_noise_is_not_taken_for_a_mismatch() -> None:
    """Counts through a bitmap are noisy; the test that knows it keeps its level."""
    rng, runs, units, noise = np.random.default_rng(8), 4000, 2000, 900.0
    exact = blind = 0
    weights = np.array([0.2, 0.3, 0.5])
    counts = rng.multinomial(units, weights, runs) + rng.normal(0.0, np.sqrt(noise), (runs, 3))
    for row in counts:
        exact += srm(row, weights, [noise] * 3).p_value < 0.05
        blind += srm(row, weights).p_value < 0.05
    assert 0.035 < exact / runs < 0.065
    assert blind / runs > 0.15


def test_noise_lowers_the_sequential_evidence_and_keeps_its_direction() -> None:
    sure, unsure = sequential_srm([5300, 4700], FIFTY), sequential_srm([5300, 4700], FIFTY, [2000.0] * 2)
    assert 0.0 < unsure.log_e_value < sure.log_e_value


def test_weights_may_change_between_epochs() -> None:
    epochs = [([9900, 100], [99, 1]), ([5000, 5000], FIFTY)]
    assert srm_over_epochs([srm(*epoch) for epoch in epochs]).p_value > 0.5
    assert sequential_srm_over_epochs([sequential_srm(*epoch) for epoch in epochs]).p_value > 0.5
    together = [sum(column) for column in zip(*(counts for counts, _ in epochs), strict=True)]
    assert srm(together, FIFTY).p_value < 1e-100


@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_weights_are_of_any_scale(scale: float) -> None:
    weights = [0.2 * scale, 0.3 * scale, 0.5 * scale]
    assert srm([210, 290, 500], weights).p_value == pytest.approx(srm([210, 290, 500], [2, 3, 5]).p_value)


def test_each_epoch_spends_its_own_share_of_the_error() -> None:
    fair, off = sequential_srm([500, 500], FIFTY), sequential_srm([60_000, 58_000], FIFTY)
    for place, share in ((1, 2), (2, 6), (3, 12)):
        tests = [fair] * (place - 1) + [off]
        assert sequential_srm_over_epochs(tests).p_value == pytest.approx(off.p_value * share)
