"""Is the sum of all batches what is read, whatever was folded in between, or sent again?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from redis.asyncio import Redis

from policies.assignment import BUCKETS, POSITIONS
from policies.latency_cells import CELLS, cell
from policies.statistics.evidence import VariantEvidence
from router.control.evidence import linear_count, types_of
from router.store.cells import Place, fold, is_loose, read_loose
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from router.store.layout import GROUPS, histogram_index
from router.store.outcomes import add
from router.store.records import Batch, Delta, record
from router.store.states import record_epoch
from tests.router.control.evidence_world import EXPERIMENT, VARIANTS, epoch, read
from tests.router.store.made import outcome


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
