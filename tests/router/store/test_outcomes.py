"""Does an outcome count once, in the epoch, variant and bucket that it belongs to?"""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from router.errors import StoreUnavailable
from router.store import keys
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from router.store.outcomes import add
from tests.router.store.fixtures import primaries
from tests.router.store.made import outcome
from tests.router.store.servers import kill


async def read(redis: Redis, bucket: int = 5, **changes: Any) -> tuple[int, float]:
    """Count and sum of one bucket."""
    where = outcome(0, **changes)
    parts = []
    for what in ("count", "sum"):
        key = keys.outcomes(where.experiment, where.epoch, where.variant, where.metric, where.kind, what)
        parts.append(await redis.getrange(key, 8 * bucket, 8 * bucket + 7))
    return struct.unpack(">q", parts[0].rjust(8, b"\0"))[0], struct.unpack(">d", parts[1].rjust(8, b"\0"))[0]


async def test_an_outcome_counts_and_its_repetition_does_not(redis: Redis) -> None:
    assert await add(redis, [outcome(1)]) == [True]
    assert await add(redis, [outcome(1, value=99.0)]) == [False]
    assert await read(redis) == (1, 1.5)


async def test_a_repetition_within_one_call_does_not_count(redis: Redis) -> None:
    assert await add(redis, [outcome(1), outcome(2), outcome(1)]) == [True, True, False]
    assert await read(redis) == (2, 3.0)


async def test_capped_values_are_counted_where_there_is_a_cap(redis: Redis) -> None:
    where = ("ranker", 1, "champion", "revenue", "mean", "capped")
    await add(redis, [outcome(1)])
    assert await redis.get(keys.outcomes(*where)) is None
    await add(redis, [outcome(2, capped=False), outcome(2, capped=True)])
    assert await redis.get(keys.outcomes(*where)) == b"0"
    more = [
        outcome(3, capped=True),
        outcome(4, capped=False),
        outcome(5, capped=True),
        outcome(3, capped=True),
    ]
    await add(redis, more)
    await add(redis, [outcome(5, capped=True)])
    assert await redis.get(keys.outcomes(*where)) == b"2"
    assert await read(redis) == (5, 7.5)


async def test_sums_that_grow_bucket_by_bucket_keep_no_reserve(redis: Redis) -> None:
    for bucket in range(0, 1024, 64):
        await add(redis, [outcome(bucket, bucket=bucket)])
    for what in ("count", "sum"):
        key = keys.outcomes("ranker", 1, "champion", "revenue", "mean", what)
        used = await redis.memory_usage(key, samples=0)
        assert await redis.strlen(key) == 8 * 1024 <= used < 12 * 1024


async def test_a_thousand_at_once_count_once(redis: Redis) -> None:
    answers = await asyncio.gather(*(add(redis, [outcome(1)]) for _ in range(1000)))
    assert sum(answer[0] for answer in answers) == 1
    assert await read(redis) == (1, 1.5)


async def test_answers_keep_their_order_over_experiments(redis: Redis) -> None:
    await add(redis, [outcome(2), outcome(3, experiment="other")])
    given = [
        outcome(1),
        outcome(3, experiment="other"),
        outcome(2),
        outcome(4, experiment="other"),
        outcome(3),
    ]
    assert await add(redis, given) == [True, False, False, True, True]
    assert await read(redis) == (3, 4.5)
    assert await read(redis, experiment="other") == (2, 3.0)


async def test_series_are_kept_apart(redis: Redis) -> None:
    variations: list[dict[str, Any]] = [
        {},
        {"epoch": 3},
        {"variant": "challenger"},
        {"metric": "correct", "kind": "binary"},
        {"metric": "revenue", "kind": "binary"},
    ]
    given = [outcome(i, **change, value=float(i == 0)) for i, change in enumerate(variations)]
    assert all(await add(redis, given))
    for i, change in enumerate(variations):
        assert await read(redis, **change) == (1, float(i == 0))


async def test_ten_thousand_in_one_call(redis: Redis) -> None:
    given = [outcome(i, bucket=i % 1024, value=float(i)) for i in range(10_000)]
    assert all(await add(redis, given))
    assert not any(await add(redis, given))
    for bucket in (0, 5, 1023):
        values = range(bucket, 10_000, 1024)
        assert await read(redis, bucket=bucket) == (len(values), sum(values))


async def test_a_value_below_all_decimals_of_text_is_not_lost(redis: Redis) -> None:
    for identity in range(1, 4):
        await add(redis, [outcome(identity, value=1.25e-19)])
    assert await read(redis) == (3, pytest.approx(3.75e-19, rel=1e-12))


async def test_large_and_negative_values(redis: Redis) -> None:
    await add(redis, [outcome(1, value=1e100), outcome(2, value=-1e100)])
    await add(redis, [outcome(3, value=-2.5)])
    assert await read(redis) == (3, -2.5)


async def test_an_identity_is_forgotten_after_its_time(redis: Redis) -> None:
    await add(redis, [outcome(1, ttl_seconds=500)])
    assert 490 < await redis.ttl(keys.dedupe("ranker", (1).to_bytes(16))) <= 500


async def test_nothing_to_add_asks_nothing(tmp_path: Path) -> None:
    redis = connect(f"unix://{tmp_path}/none.sock")
    assert await add(redis, []) == []
    await redis.aclose()


async def test_a_forgotten_script_is_learned_again(redis: Redis) -> None:
    for node in await primaries(redis):
        await node.script_flush()
    assert await add(redis, [outcome(1), outcome(2, experiment="other")]) == [True, True]
    for node in await primaries(redis):
        await node.script_flush()
    assert await add(redis, [outcome(3)]) == [True]
    assert await read(redis) == (2, 3.0)


async def test_what_was_acknowledged_survives_kill_9(binary: Path, tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path, binary)
    server.start()
    redis = connect(server.url)
    try:
        assert all(await add(redis, [outcome(i, bucket=i) for i in range(200)]))
        kill(server)
        with pytest.raises(StoreUnavailable):
            await add(redis, [outcome(500)])
        server.start()
        answers = await add(redis, [outcome(i, bucket=i) for i in (*range(200), 500)])
        assert answers == [False] * 200 + [True]
        assert await read(redis, bucket=199) == (1, 1.5)
    finally:
        await redis.aclose()
        server.stop()
