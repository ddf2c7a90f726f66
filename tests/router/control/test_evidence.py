"""Is what is read exactly what was recorded?"""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
import pytest
from redis.asyncio import Redis

from policies.assignment import BUCKETS, POSITIONS
from policies.latency_cells import CELLS
from policies.statistics.evidence import ExperimentEvidence
from router.control.evidence import linear_count, read_evidence, types_of
from router.store import keys
from router.store.cells import Place, fold, read_loose
from router.store.layout import GROUPS, period_end
from router.store.outcomes import add
from router.store.records import Batch, Delta, record
from router.store.states import record_epoch
from tests.router.control.evidence_world import EXPERIMENT, NOW, epoch, read
from tests.router.store.made import outcome


async def test_an_experiment_that_never_ran_has_no_epochs(redis: Redis) -> None:
    assert await read(redis) == ExperimentEvidence("ranker", "champion", ())


async def test_a_variant_without_traffic_is_left_out(redis: Redis) -> None:
    await record_epoch(redis, "ranker", epoch(1))
    await record_epoch(redis, "ranker", epoch(2))
    await record_epoch(redis, "ranker", epoch(10))
    await add(redis, [outcome(1, epoch=10, variant="challenger")])
    found = await read(redis)
    assert [one.number for one in found.epochs] == [1, 2, 10]
    assert [one.ended for one in found.epochs] == [NOW - 8000, NOW, None]
    assert [sorted(one.variants) for one in found.epochs] == [[], [], ["challenger"]]
    only = found.epochs[2].variants["challenger"]
    assert only.requests.sum() == 0
    assert only.units == 0 == only.units_variance
    assert only.outcomes["revenue"].mean == 1.5
    assert np.isnan(only.outcomes["correct"].mean)


async def test_outcomes_land_where_they_belong(redis: Redis) -> None:
    await record_epoch(redis, "ranker", epoch(1))
    given = [
        outcome(1, bucket=0, value=2.5),
        outcome(2, bucket=1023, value=-1.25),
        outcome(3, bucket=1023, value=0.5),
        outcome(4, bucket=1023, value=0.5),
        outcome(5, bucket=7, metric="correct", kind="binary", value=1),
        outcome(6, bucket=7, metric="correct", kind="binary", value=0),
    ]
    await add(redis, [*given, given[3]])
    outcomes = (await read(redis)).epochs[0].variants["champion"].outcomes
    revenue, correct = outcomes["revenue"], outcomes["correct"]
    assert {b: revenue.numerator[b] for b in np.flatnonzero(revenue.denominator)} == {0: 2.5, 1023: -0.25}
    assert revenue.denominator[1023] == 3
    assert (correct.denominator[7], correct.numerator[7]) == (2, 1)
    assert correct.numerator.dtype == correct.denominator.dtype == np.int64
    assert revenue.denominator.shape == (BUCKETS,)


async def test_requests_within_the_window_are_immature(redis: Redis) -> None:
    await record_epoch(redis, "ranker", epoch(1))
    periods = {period_end(NOW - age, 3600): 1 for age in range(0, 7200, 10)}
    delta = Delta(epoch=1, variant="champion", requests={3: 720}, periods=periods)
    await record(redis, Batch(experiment="ranker", writer="w", number=1, deltas=[delta]))
    only = (await read(redis)).epochs[0].variants["champion"]
    assert only.immature_requests == sum(ending > NOW - 3600 for ending in periods)
    assert 360 <= only.immature_requests <= 361


async def test_what_fell_back_and_what_was_capped_is_read(redis: Redis) -> None:
    await record_epoch(redis, "ranker", epoch(1))
    for number, fallbacks in enumerate((0, 2, 3)):
        delta = Delta(epoch=1, variant="champion", requests={3: 4}, fallbacks=fallbacks)
        await record(redis, Batch(experiment="ranker", writer="w", number=number, deltas=[delta]))
    await add(redis, [outcome(1, capped=True), outcome(2, capped=False), outcome(1, capped=True)])
    only = (await read(redis)).epochs[0].variants["champion"]
    assert (only.fallback_requests, only.capped) == (5, {"revenue": 1})


async def test_what_was_recorded_before_that_was_counted_is_unknown(redis: Redis) -> None:
    await record_epoch(redis, "ranker", epoch(1))
    delta = Delta(epoch=1, variant="champion", requests={3: 4})
    await record(redis, Batch(experiment="ranker", writer="w", number=1, deltas=[delta]))
    await add(redis, [outcome(1)])
    await redis.delete(keys.sums("ranker", 1, "champion", "fallbacks"))
    only = (await read(redis)).epochs[0].variants["champion"]
    assert (only.fallback_requests, only.capped) == (None, {})


async def test_without_latencies_there_are_none_folded_or_not(redis: Redis) -> None:
    await record_epoch(redis, "ranker", epoch(1))
    place = Place("ranker", 1, "champion")
    types = types_of(EXPERIMENT.metrics)
    for number in (1, 2):
        delta = Delta(epoch=1, variant="champion", requests={3: 4}, last_cells={9: 4})
        await record(redis, Batch(experiment="ranker", writer="w", number=number, deltas=[delta]))
        for latencies, counted in ((True, 4 * number), (False, 0)):
            found = await read_evidence(redis, "ranker", EXPERIMENT, NOW, latencies=latencies)
            only = found.epochs[0].variants["champion"]
            assert (only.requests.sum(), only.last_byte_histogram.sum()) == (4 * number, counted)
            assert only.last_byte_histogram.shape == (GROUPS, CELLS)
        loose = await read_loose(redis, place, list(types))
        assert await fold(redis, place, list(types), loose, loose.together(types, keep_bitmap=True))


@pytest.mark.parametrize("units", [1_000, 100_000, 2_000_000])
def test_counts_by_the_bitmap_have_the_error_that_is_said(units: int) -> None:
    rng = np.random.default_rng(units)
    found = []
    for _ in range(60):
        bitmap = np.zeros(POSITIONS, dtype=bool)
        bitmap[rng.integers(0, POSITIONS, units)] = True
        estimate, variance = linear_count(np.count_nonzero(bitmap))
        found.append((estimate - units) / sqrt(variance))
    assert abs(np.mean(found)) < 4 / sqrt(60)
    assert 0.6 < np.std(found) < 1.4


def test_an_empty_and_a_full_bitmap_are_counted() -> None:
    assert linear_count(0) == (0.0, 0.0)
    most, variance = linear_count(POSITIONS)
    assert POSITIONS * exp(-most / POSITIONS) == pytest.approx(1)
    assert variance > 0
