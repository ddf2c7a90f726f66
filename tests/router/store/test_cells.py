"""Is an epoch the same before and after it was folded, whatever comes in between, and is nothing lost?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis

from router.errors import StoreUnavailable
from router.store import keys, layout
from router.store.cells import Cell, Place, fold, is_loose, read_cells, read_loose
from router.store.folded import added, unpack_whole
from router.store.outcomes import Outcome, add
from router.store.records import Batch, Delta, record
from tests.router.store.fixtures import primaries

TYPES = layout.array_types([("correct", "binary"), ("revenue", "mean")])
ARRAYS = list(TYPES)
COUNTERS = ("fallbacks", "mean:revenue:capped")
HERE = Place("ranker", 3, "champion")
BESIDE = Place("ranker", 3, "challenger")
PERIOD = 1_700_000_000


async def sent(redis: Redis, number: int, *places: Place, **changes: Any) -> None:
    """A batch that adds to everything."""
    what: dict[str, Any] = {
        "requests": {7: 2, 1000: 1},
        "errors": {7: 1},
        "first_byte": {7: 2000 + number, 1000: 5},
        "last_byte": {7: 3000, 1000: 2**40},
        "first_cells": {300: 2, 19_199: 1},
        "last_cells": {310: 3},
        "positions": [5, 100_000, 1_000_000 + number],
        "periods": {PERIOD: 2, PERIOD + 10 * number: 1},
        "unidentified": 1,
        "fallbacks": 1,
    }
    deltas = [Delta(epoch=each.epoch, variant=each.variant, **(what | changes)) for each in places or (HERE,)]
    assert await record(redis, Batch(experiment="ranker", writer="w", number=number, deltas=deltas))


async def posted(redis: Redis, identity: int, value: float, place: Place = HERE, bucket: int = 7) -> None:
    given = Outcome(
        experiment="ranker",
        epoch=place.epoch,
        variant=place.variant,
        bucket=bucket,
        dedupe=identity.to_bytes(16),
        metric="revenue",
        kind="mean",
        value=value,
        ttl_seconds=60,
        capped=value > 10,
    )
    await add(redis, [given])


async def seen(redis: Redis, place: Place = HERE) -> dict[str, Any]:
    """All that there is of a place, folded or not."""
    (cell,) = await read_cells(redis, [place], ARRAYS, COUNTERS)
    return {
        "arrays": {name: whole(cell, name) for name in ARRAYS},
        "counters": cell.counters,
        "marked": cell.marked,
        "periods": dict(sorted(cell.periods.items())),
        "empty": cell.empty,
    }


def whole(cell: Cell, name: str) -> bytes:
    """An array as it is written when nothing is folded."""
    late = cell.strings.get(name, b"")
    before = unpack_whole(cell.packed[name]) if name in cell.packed else b""
    return added(before, late, TYPES[name]).rstrip(b"\0")


async def folded(redis: Redis, place: Place = HERE, *, keep_bitmap: bool = True) -> bool:
    loose = await read_loose(redis, place, ARRAYS)
    return await fold(redis, place, ARRAYS, loose, loose.together(TYPES, keep_bitmap=keep_bitmap))


async def kept(redis: Redis, place: Place = HERE) -> set[str]:
    """The names of a place's keys."""
    names = [*ARRAYS, *layout.OTHERS, *COUNTERS, "folded"]
    return {name for name in names if await redis.exists(place.key(name))}


async def test_what_is_read_is_the_same_before_and_after(redis: Redis) -> None:
    await sent(redis, 1, HERE, BESIDE)
    await posted(redis, 1, 2.5)
    await posted(redis, 2, 12.0, bucket=1023)
    before, beside = await seen(redis), await seen(redis, BESIDE)
    assert await is_loose(redis, HERE, ARRAYS)
    assert await folded(redis)
    assert not await is_loose(redis, HERE, ARRAYS)
    assert await seen(redis) == before
    assert before["counters"] == {"fallbacks": 1, "mean:revenue:capped": 1}
    assert await kept(redis) == {"folded", "unidentified", *COUNTERS}
    assert await seen(redis, BESIDE) == beside
    assert len(await redis.get(HERE.folded)) < 1000


async def test_what_comes_later_is_read_with_it_and_folded_into_it(redis: Redis) -> None:
    for step in range(1, 5):
        await sent(redis, step, fallbacks=0)
        await posted(redis, step, 0.1 * step)
        before = await seen(redis)
        assert await folded(redis)
        assert await seen(redis) == before
    assert before["marked"] == 2 + 4
    assert before["periods"] == {PERIOD: 8, **{PERIOD + 10 * step: 1 for step in range(1, 5)}}
    assert int.from_bytes(before["arrays"]["first_byte"][56:64]) == sum(2000 + step for step in range(1, 5))


async def test_an_outcome_that_was_counted_before_the_fold_is_not_counted_again(redis: Redis) -> None:
    await posted(redis, 1, 2.5)
    await folded(redis)
    before = await seen(redis)
    await posted(redis, 1, 2.5)
    assert await seen(redis) == before


CHANGES: dict[str, Callable[[Redis], Awaitable[Any]]] = {
    "requests": lambda redis: only(redis, requests={7: 1}),
    "latencies": lambda redis: only(redis, last_cells={7: 1}),
    "units": lambda redis: only(redis, positions=[77]),
    "periods": lambda redis: only(redis, periods={PERIOD: 1}),
    "a new period": lambda redis: only(redis, periods={PERIOD - 10: 1}),
    "outcomes": lambda redis: posted(redis, 9, 1.0),
    "another fold": folded,
}


async def only(redis: Redis, **what: Any) -> None:
    nothing: dict[str, Any] = {**{name: {} for name in layout.ARRAYS}, "positions": [], "periods": {}}
    await sent(redis, 2, **(nothing | what))


@pytest.mark.parametrize("change", CHANGES)
async def test_what_changed_in_between_is_not_folded_over(redis: Redis, change: str) -> None:
    await sent(redis, 1)
    await posted(redis, 1, 2.5)
    loose = await read_loose(redis, HERE, ARRAYS)
    await CHANGES[change](redis)
    before = await seen(redis)
    assert not await fold(redis, HERE, ARRAYS, loose, loose.together(TYPES, keep_bitmap=True))
    assert await seen(redis) == before
    assert await folded(redis)
    assert await seen(redis) == before


async def test_a_fold_that_is_sent_again_changes_nothing(redis: Redis) -> None:
    await sent(redis, 1)
    loose = await read_loose(redis, HERE, ARRAYS)
    whole = loose.together(TYPES, keep_bitmap=True)
    assert await fold(redis, HERE, ARRAYS, loose, whole)
    before = await seen(redis)
    assert not await fold(redis, HERE, ARRAYS, loose, whole)
    assert await seen(redis) == before


async def test_of_two_at_once_one_folds(redis: Redis) -> None:
    await sent(redis, 1)
    before = await seen(redis)
    done = await asyncio.gather(*(folded(redis) for _ in range(10)))
    assert any(done)
    assert await seen(redis) == before


async def test_what_is_full_is_folded_and_so_gets_room(redis: Redis) -> None:
    await sent(redis, 1)
    before = await seen(redis)
    for node in await primaries(redis):
        await node.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreUnavailable, match="maxmemory"):
            await sent(redis, 2)
        assert await folded(redis)
    finally:
        for node in await primaries(redis):
            await node.config_set("maxmemory", 0)
    assert await kept(redis) == {"folded", "unidentified", "fallbacks"}
    assert await seen(redis) == before


async def test_nothing_is_lost_when_it_is_folded_again_and_again_amid_batches(redis: Redis) -> None:
    for number in range(1, 101):
        one = {"requests": {number: 1}, "positions": [number], "periods": {PERIOD + number: 1}}
        batches = [sent(redis, number, **one), posted(redis, number, 1.0, bucket=number)]
        await asyncio.gather(*batches, *(folded(redis) for _ in range(2)))
        if number % 10 == 0:
            assert await folded(redis)
    found = await seen(redis)
    expected = b"".join((1 <= bucket <= 100).to_bytes(8) for bucket in range(101))
    assert found["arrays"]["requests"] == found["arrays"]["mean:revenue:count"] == expected
    assert found["marked"] == 100
    assert found["periods"] == {PERIOD + number: 1 for number in range(1, 101)}


async def test_a_unit_that_comes_again_counts_once(redis: Redis) -> None:
    await sent(redis, 1, positions=[1, 2, 3])
    await folded(redis, keep_bitmap=False)
    await sent(redis, 2, positions=[3, 4])
    assert (await seen(redis))["marked"] == 4


async def test_where_many_units_count_a_late_one_counts_as_new(redis: Redis) -> None:
    many = Random(1).sample(range(2, 1 << 20), 20_000)
    await sent(redis, 1, positions=many)
    await folded(redis, keep_bitmap=False)
    assert (await seen(redis))["marked"] == len(many)
    await sent(redis, 2, positions=[0, many[0]])
    assert (await seen(redis))["marked"] == len(many) + 2
    await folded(redis, keep_bitmap=False)
    assert (await seen(redis))["marked"] == len(many) + 2
    assert len(await redis.get(HERE.folded)) < 1000


async def test_what_is_not_asked_for_is_not_in_the_answer(redis: Redis) -> None:
    await sent(redis, 1)
    for _ in range(2):
        (cell,) = await read_cells(redis, [HERE], ["requests"])
        assert {*cell.packed, *cell.strings} == {"requests"}
        assert list(cell.parts("last_cells")) == []
        await folded(redis)


async def test_nothing_is_empty_folded_or_not(redis: Redis) -> None:
    await sent(redis, 1)
    cells = await read_cells(redis, [HERE, BESIDE], ARRAYS)
    assert [cell.empty for cell in cells] == [False, True]
    await folded(redis)
    cells = await read_cells(redis, [HERE, BESIDE], ARRAYS)
    assert [cell.empty for cell in cells] == [False, True]
    assert await read_cells(redis, [], ARRAYS) == []
    assert not await redis.exists(keys.folded("ranker", 3, "challenger"))
