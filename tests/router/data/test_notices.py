"""Does a worker learn of a version by notice, without one, and when Redis was away or came back empty?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from router.data.following import Follower
from router.settings import Settings
from router.state import State, encode_state
from router.store import keys, states
from router.store.audit import Entry
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from router.store.versions import Record
from tests.router.store.fixtures import binary, redis, server
from tests.router.store.servers import kill

__all__ = ["binary", "redis", "server"]


SETTINGS = Settings(backends={}, routes=())
RECORD = Record(version=2, at=1.0, who="", why="", difference=(), epochs={}, settings=SETTINGS)
ENTRY = Entry(at=1.0, who="", role="", peer="", action="", target="", status=200)


class Adopted:
    """Notes the versions that it is given."""

    def __init__(self) -> None:
        self.versions: list[int] = []

    def adopt(self, state: State) -> None:
        self.versions.append(state.version)


def state(version: int) -> State:
    return State(version=version, settings=SETTINGS, epochs={}, key=bytes(16))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def following(redis: Redis, data_dir: Path) -> AsyncIterator[Adopted]:
    adopted = Adopted()
    follower = Follower(redis, data_dir, "w")
    follower.runs(1)
    task = asyncio.create_task(follower.follow(adopted))
    try:
        yield adopted
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=0.5)
        await follower.leave()


async def test_a_missed_notice_is_made_up_for(redis: Redis, tmp_path: Path) -> None:
    async with following(redis, tmp_path) as adopted:
        await redis.hset(keys.STATE, mapping={"version": "2", "document": encode_state(state(2))})
        await until(lambda: adopted.versions == [2])


async def test_an_empty_redis_changes_nothing(redis: Redis, tmp_path: Path) -> None:
    await states.commit(redis, state(1), 0)
    async with following(redis, tmp_path) as adopted:
        await redis.flushall()
        await states.restore(redis, state(2), RECORD, ENTRY)
        await until(lambda: adopted.versions == [2])


async def test_redis_may_die_and_come_back(binary: Path, tmp_path: Path) -> None:
    embedded = EmbeddedRedis(tmp_path / "redis", binary)
    embedded.start()
    client = connect(embedded.url)
    await states.commit(client, state(1), 0)
    async with following(client, tmp_path / "data") as adopted:
        for version in (2, 3):
            await asyncio.to_thread(kill, embedded)
            await asyncio.to_thread(embedded.start)
            await states.commit(client, state(version), version - 1)
            await until(lambda version=version: version in adopted.versions)
    await client.aclose()
    await asyncio.to_thread(embedded.stop)
