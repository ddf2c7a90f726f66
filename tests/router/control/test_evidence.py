"""Is what is read exactly what was recorded?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import exp, sqrt
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from redis.asyncio import Redis

from policies.assignment import BUCKETS, POSITIONS
from policies.latency_cells import CELLS, cell
from policies.statistics.evidence import ExperimentEvidence, VariantEvidence
from router.control.evidence import linear_count, read_evidence, types_of
from router.settings import Duration, Experiment, Metric, UnitSource, Variant
from router.state import Epoch
from router.store import keys
from router.store.cells import Place, fold, is_loose, read_loose
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from router.store.layout import GROUPS, histogram_index, period_end
from router.store.outcomes import Outcome, add
from router.store.records import Batch, Delta, record
from router.store.states import record_epoch

NOW = 1_700_000_000.0
VARIANTS = ("champion", "challenger")
EXPERIMENT = Experiment(
    unit=(UnitSource(header="x-user-id"),),
    variants={name: Variant(backend=name, weight=50) for name in VARIANTS},
    control="champion",
    metrics=(Metric(name="correct", kind="binary"), Metric(name="revenue", kind="mean", cap=9.0)),
    attribution=Duration(3600),
)


def epoch(number: int) -> Epoch:
    started = NOW - 10_000 + 1000 * number
    return Epoch(number=number, started=started, salt="ranker", weights=dict.fromkeys(VARIANTS, 1.0), why="")


def outcome(identity: int, **changes: Any) -> Outcome:
    fields: dict[str, Any] = {
        "experiment": "ranker",
        "epoch": 1,
        "variant": "champion",
        "bucket": 5,
        "dedupe": identity.to_bytes(16),
        "metric": "revenue",
        "kind": "mean",
        "value": 1.5,
        "ttl_seconds": 60,
    }
    return Outcome(**(fields | changes))


async def read(redis: Redis) -> ExperimentEvidence:
    return await read_evidence(redis, "ranker", EXPERIMENT, NOW)


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


class Request(NamedTuple):
    """One proxied request, as the data plane would see it."""

    epoch: int
    variant: str
    bucket: int
    first_byte: int
    last_byte: int
    failed: bool
    position: int


class Posted(NamedTuple):
    """One outcome."""

    epoch: int
    variant: str
    bucket: int
    metric: str
    value: int


places = st.sampled_from([1, 2]), st.sampled_from(VARIANTS), st.integers(0, BUCKETS - 1)
latencies = st.integers(0, 10**8)
requests = st.builds(Request, *places, latencies, latencies, st.booleans(), st.integers(0, POSITIONS - 1))
outcomes = st.builds(Posted, *places, st.sampled_from(["correct", "revenue"]), st.integers(0, 1))


@settings(max_examples=30, deadline=None)
@given(
    batches=st.lists(st.lists(requests, max_size=30), max_size=8),
    folds=st.sets(st.integers(0, 7)),
    posted=st.lists(outcomes, max_size=60),
    again=st.data(),
)
def test_the_sum_of_all_batches_is_what_is_read(
    server: EmbeddedRedis,
    batches: list[list[Request]],
    folds: set[int],
    posted: list[Posted],
    again: st.DataObject,
) -> None:
    repeated = again.draw(st.lists(st.sampled_from(range(len(batches))), max_size=5)) if batches else []
    asyncio.run(_check(server, batches, folds, posted, repeated))


async def _check(
    server: EmbeddedRedis,
    batches: list[list[Request]],
    folds: set[int],
    posted: list[Posted],
    repeated: list[int],
) -> None:
    redis = connect(server.url)
    await redis.flushall()
    for number in (1, 2):
        await record_epoch(redis, "ranker", epoch(number))
    sent = [
        Batch(experiment="ranker", writer="w", number=i, deltas=_deltas(one)) for i, one in enumerate(batches)
    ]
    for one in [*sent, *(sent[i] for i in repeated)]:
        await record(redis, one)
        if one.number in folds:
            await _fold_all(redis)
    await add(
        redis,
        [
            outcome(i, epoch=e, variant=v, bucket=b, metric=m, kind=_kind(m), value=float(x))
            for i, (e, v, b, m, x) in enumerate(posted)
        ],
    )
    found = await read(redis)
    await redis.aclose()

    everything = [one for requests in batches for one in requests]
    for place, number in enumerate((1, 2)):
        for variant in VARIANTS:
            mine = [one for one in everything if (one.epoch, one.variant) == (number, variant)]
            theirs = [one for one in posted if (one.epoch, one.variant) == (number, variant)]
            evidence = found.epochs[place].variants.get(variant)
            assert (evidence is not None) == bool(mine or theirs)
            if evidence is not None:
                _same_requests(evidence, mine)
                _same_outcomes(evidence, theirs)


async def _fold_all(redis: Redis) -> None:
    """As if both epochs had ended long ago."""
    types = types_of(EXPERIMENT.metrics)
    for place in (Place("ranker", number, variant) for number in (1, 2) for variant in VARIANTS):
        if await is_loose(redis, place, types):
            loose = await read_loose(redis, place, list(types))
            assert await fold(redis, place, list(types), loose, loose.together(types, keep_bitmap=True))


def _same_requests(evidence: VariantEvidence, requests: list[Request]) -> None:
    np.testing.assert_array_equal(evidence.requests, _by_bucket(requests))
    np.testing.assert_array_equal(evidence.errors, _by_bucket([one for one in requests if one.failed]))
    marked = len({one.position for one in requests})
    assert (evidence.units, evidence.units_variance) == linear_count(marked)
    for sums, histogram, latencies in (
        (evidence.first_byte, evidence.first_byte_histogram, [one.first_byte for one in requests]),
        (evidence.last_byte, evidence.last_byte_histogram, [one.last_byte for one in requests]),
    ):
        expected = np.zeros(BUCKETS)
        cells = np.zeros((GROUPS, CELLS), dtype=int)
        for one, latency in zip(requests, latencies, strict=True):
            expected[one.bucket] += latency
            cells[one.bucket % GROUPS, cell(latency)] += 1
        np.testing.assert_allclose(sums, expected * 1e-6, rtol=1e-14)
        np.testing.assert_array_equal(histogram, cells)


def _same_outcomes(evidence: VariantEvidence, posted: list[Posted]) -> None:
    for metric in ("correct", "revenue"):
        sums = evidence.outcomes[metric]
        mine = [one for one in posted if one.metric == metric]
        np.testing.assert_array_equal(sums.denominator, _by_bucket(mine))
        np.testing.assert_array_equal(sums.numerator, _by_bucket([one for one in mine if one.value]))


def _by_bucket(given: Sequence[Request | Posted]) -> NDArray[np.int64]:
    return np.bincount(np.array([one.bucket for one in given], dtype=int), minlength=BUCKETS)


def _kind(metric: str) -> str:
    return "binary" if metric == "correct" else "mean"


def _deltas(requests: list[Request]) -> list[Delta]:
    deltas: dict[tuple[int, str], Delta] = {}
    for one in requests:
        delta = deltas.setdefault((one.epoch, one.variant), Delta(epoch=one.epoch, variant=one.variant))
        for sums, index, amount in (
            (delta.requests, one.bucket, 1),
            (delta.errors, one.bucket, int(one.failed)),
            (delta.first_byte, one.bucket, one.first_byte),
            (delta.last_byte, one.bucket, one.last_byte),
            (delta.first_cells, histogram_index(one.bucket, cell(one.first_byte)), 1),
            (delta.last_cells, histogram_index(one.bucket, cell(one.last_byte)), 1),
        ):
            sums[index] = sums.get(index, 0) + amount
        delta.positions.append(one.position)
    return list(deltas.values())


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
