"""Does a batch reach Redis once, whole, whatever happens on the way?"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from router.errors import StoreUnavailable
from router.store import keys, layout
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from router.store.records import Batch, Delta, record
from tests.router.store.fixtures import primaries
from tests.router.store.servers import kill


def batch(number: int, writer: str = "w", **what: Any) -> Batch:
    delta = Delta(epoch=3, variant="champion", **({"requests": {7: 2}} | what))
    return Batch(experiment="ranker", writer=writer, number=number, deltas=[delta])


async def requests(redis: Redis, bucket: int = 7) -> int:
    key = keys.sums("ranker", 3, "champion", "requests")
    (value,) = await redis.bitfield(key).get("i64", f"#{bucket}").execute()
    return int(value)


async def test_a_batch_sent_again_counts_once(redis: Redis) -> None:
    assert await record(redis, batch(1)) is True
    assert await record(redis, batch(1)) is False
    assert await requests(redis) == 2


async def test_numbers_go_up_and_may_have_gaps(redis: Redis) -> None:
    counted = [await record(redis, batch(number)) for number in (0, 1, 5, 4, 5, 6)]
    assert counted == [True, True, True, False, False, True]
    assert await requests(redis) == 8


async def test_each_writer_counts_for_itself(redis: Redis) -> None:
    assert await record(redis, batch(1, writer="a"))
    assert await record(redis, batch(1, writer="b"))
    assert await requests(redis) == 4


async def test_the_same_batch_from_many_connections_counts_once(redis: Redis) -> None:
    counted = await asyncio.gather(*(record(redis, batch(1)) for _ in range(100)))
    assert sum(counted) == 1
    assert await requests(redis) == 2


async def test_every_index_of_every_array_is_added(redis: Redis) -> None:
    full = {bucket: bucket + 1 for bucket in range(1024)}
    cells = dict.fromkeys(range(0, layout.GROUPS * 600, 7), 3)
    what = {"requests": full, "errors": full, "first_byte": full, "last_byte": full}
    for number in (1, 2):
        await record(redis, batch(number, **what, first_cells=cells, last_cells=cells, unidentified=4))
    for name in ("requests", "errors", "first_byte", "last_byte"):
        stored = await redis.get(keys.sums("ranker", 3, "champion", name))
        assert [int.from_bytes(stored[8 * b : 8 * b + 8]) for b in range(1024)] == [
            2 * (b + 1) for b in range(1024)
        ]
    stored = await redis.get(keys.sums("ranker", 3, "champion", "last_cells"))
    found = {i: int.from_bytes(stored[4 * i : 4 * i + 4]) for i in range(len(stored) // 4)}
    assert {index: count for index, count in found.items() if count} == dict.fromkeys(cells, 6)
    assert await redis.get(keys.sums("ranker", 3, "champion", "unidentified")) == b"8"


async def test_fallbacks_are_counted_and_none_are_0(redis: Redis) -> None:
    key = keys.sums("ranker", 3, "champion", "fallbacks")
    for number, (fallbacks, total) in enumerate(((0, b"0"), (3, b"3"), (0, b"3"), (4, b"7"))):
        await record(redis, batch(number, fallbacks=fallbacks))
        assert await redis.get(key) == total


async def test_positions_are_a_set(redis: Redis) -> None:
    await record(redis, batch(1, positions=[0, 5, (1 << 20) - 1]))
    await record(redis, batch(2, positions=[5, *range(100, 3000)]))
    assert await redis.bitcount(keys.sums("ranker", 3, "champion", "units")) == 3 + 2900


async def test_what_grows_bit_by_bit_keeps_no_reserve(redis: Redis) -> None:
    for number, index in enumerate(range(0, 1024, 64)):
        positions = [index * 1024]
        await record(
            redis, batch(number, requests={index: 1}, last_cells={index * 18: 1}, positions=positions)
        )
    for what, size in (("requests", 8 * 1024), ("last_cells", 4 * 32 * 600), ("units", (1 << 20) // 8)):
        key = keys.sums("ranker", 3, "champion", what)
        used = await redis.memory_usage(key, samples=0)
        assert await redis.strlen(key) == size <= used < 1.5 * size


async def test_large_sums_stay_whole(redis: Redis) -> None:
    month = 30 * 86400 * 10**6
    for number in range(1, 4):
        await record(redis, batch(number, last_byte={1023: month * 1000 + 1}))
    stored = await redis.get(keys.sums("ranker", 3, "champion", "last_byte"))
    assert int.from_bytes(stored[-8:]) == 3 * (month * 1000 + 1)


async def test_periods_older_than_is_of_use_are_dropped(redis: Redis) -> None:
    keep = 600
    for number in range(1, 51):
        periods = {1_700_000_000 + 10 * (100 * number + period): 1 for period in range(100)}
        one = Batch(
            experiment="ranker",
            writer="w",
            number=number,
            deltas=[Delta(epoch=3, variant="champion", periods=periods)],
            keep_seconds=keep,
        )
        await record(redis, one)
    kept = sorted(map(int, await redis.hkeys(keys.sums("ranker", 3, "champion", "periods"))))
    newest = 1_700_000_000 + 10 * (100 * 50 + 99)
    assert kept[-1] == newest
    assert all(b - a == 10 for a, b in pairwise(kept))
    assert keep // 10 <= len(kept) <= 1024


async def test_a_server_that_forgot_the_script_is_given_it_again(redis: Redis) -> None:
    await record(redis, batch(1))
    for node in await primaries(redis):
        await node.script_flush()
    assert await record(redis, batch(2))
    assert await requests(redis) == 4


async def test_nobody_there_is_the_stores_error(tmp_path: Path) -> None:
    redis = connect(f"unix://{tmp_path}/none.sock")
    with pytest.raises(StoreUnavailable):
        await record(redis, batch(1))
    await redis.aclose()


async def test_what_was_acknowledged_survives_kill_9(binary: Path, tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path, binary)
    server.start()
    redis = connect(server.url)
    try:
        sent = 0
        for number in range(1, 51):
            assert await record(redis, batch(number))
            sent = number
        kill(server)
        with pytest.raises(StoreUnavailable):
            await record(redis, batch(sent + 1))
        server.start()
        assert await requests(redis) == 2 * sent
        assert await record(redis, batch(sent)) is False
        assert await record(redis, batch(sent + 1)) is True
        assert await requests(redis) == 2 * (sent + 1)
    finally:
        await redis.aclose()
        server.stop()
