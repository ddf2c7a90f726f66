"""By which state does a worker start?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from router.data.plane import Plane
from router.data.recorder import Recorder
from router.data.worker import adopt_first
from router.last_state import load, save
from router.state import State, encode_state
from router.store import keys, states
from router.store.client import connect
from tests.router.data.inprocess import eventually, nobody, state_of
from tests.router.data.plain_redis import redis, server

__all__ = ["redis", "server"]


@pytest.fixture
async def plane(tmp_path: Path) -> Plane:
    return Plane(Recorder("w", nobody, tmp_path / "journal"))


def state(version: int) -> State:
    made = state_of(
        {
            "backends": {"b": {"url": "http://127.0.0.1:1"}},
            "routes": [{"path": "/", "backend": "b", "experiment": "e"}],
            "experiments": {
                "e": {
                    "unit": [{"header": "x-user-id"}],
                    "variants": {"v": {"backend": "b", "weight": 1}},
                    "control": "v",
                }
            },
        }
    )
    return replace(made, version=version)


def unusable(version: int) -> State:
    """A state whose weights no plan can have."""
    good = state(version)
    return replace(good, epochs={"e": replace(good.epochs["e"], number=version, weights={"v": 0.0})})


async def test_by_the_one_in_redis_which_it_keeps(redis: Redis, plane: Plane, tmp_path: Path) -> None:
    save(tmp_path, state(1))
    assert await states.commit(redis, state(1), 0)
    assert await states.commit(redis, state(2), 1)
    assert (await adopt_first(plane, redis, tmp_path)).version == 2
    assert plane.snapshot.state == state(2)
    assert load(tmp_path) == state(2)


async def test_by_the_last_one_where_redis_has_none(redis: Redis, plane: Plane, tmp_path: Path) -> None:
    save(tmp_path, state(3))
    assert (await adopt_first(plane, redis, tmp_path)).version == 3
    assert plane.snapshot.state == state(3)


async def test_by_the_last_one_where_redis_has_an_older_one(
    redis: Redis, plane: Plane, tmp_path: Path
) -> None:
    """As after a backup was restored; the one on disk stays, because it can be restored."""
    save(tmp_path, state(3))
    assert await states.commit(redis, state(1), 0)
    assert (await adopt_first(plane, redis, tmp_path)).version == 3
    assert load(tmp_path) == state(3)


async def test_by_the_last_one_where_nobody_answers(plane: Plane, tmp_path: Path) -> None:
    save(tmp_path, state(3))
    async with connect(f"unix://{tmp_path}/nobody") as redis:
        assert (await adopt_first(plane, redis, tmp_path)).version == 3


@pytest.mark.parametrize("document", [b"{", encode_state(unusable(4))], ids=["unreadable", "unusable"])
async def test_by_the_last_one_where_redis_has_one_that_is_no_good(
    redis: Redis, plane: Plane, tmp_path: Path, document: bytes
) -> None:
    """The one on disk stays, too: the next worker needs it as well."""
    save(tmp_path, state(3))
    await redis.hset(keys.STATE, mapping={"version": 4, "document": document})
    assert (await adopt_first(plane, redis, tmp_path)).version == 3
    assert plane.snapshot.state == state(3)
    assert load(tmp_path) == state(3)


@pytest.mark.parametrize(
    ("document", "why"), [(None, "Redis has none"), (b"{", "the one in Redis cannot be used")]
)
async def test_by_the_first_that_there_is_where_there_was_none(
    redis: Redis,
    plane: Plane,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    document: bytes | None,
    why: str,
) -> None:
    if document is not None:
        await redis.hset(keys.STATE, mapping={"version": 4, "document": document})
    waiting = asyncio.ensure_future(adopt_first(plane, redis, tmp_path))
    await eventually(lambda: f"waiting for a state to route by: {why}" in caplog.text)
    assert not waiting.done()
    await redis.delete(keys.STATE)
    assert await states.commit(redis, state(1), 0)
    assert (await waiting).version == 1
    assert (plane.snapshot.state, load(tmp_path)) == (state(1), state(1))
    assert caplog.text.count(f"by: {why}") == 1


async def test_a_clock_that_stood_still_in_the_meantime_is_set(plane: Plane) -> None:
    """Nobody sweeps while a worker waits; connections get their deadlines by the plane's clock."""
    before = plane.now = plane.now - 3600
    plane.adopt(state(1))
    assert plane.now > before + 3000


async def test_a_disk_that_takes_nothing_is_in_nobodys_way(
    redis: Redis, plane: Plane, tmp_path: Path
) -> None:
    assert await states.commit(redis, state(1), 0)
    (tmp_path / "data").touch()
    assert (await adopt_first(plane, redis, tmp_path / "data")).version == 1
