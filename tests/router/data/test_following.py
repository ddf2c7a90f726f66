"""Does a worker run the version in force, and go on with the one it has where that cannot be used?"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from router.data.following import Follower, keep
from router.last_state import load
from router.state import State
from router.store import keys, states
from router.store.workers import list_workers
from tests.router.data.inprocess import eventually, state_of
from tests.router.data.plain_redis import redis, server

__all__ = ["redis", "server"]


def config(weight: float) -> dict[str, Any]:
    variants = {"old": {"backend": "b", "weight": 1.0}, "new": {"backend": "b", "weight": weight}}
    return {
        "backends": {"b": {"url": "http://127.0.0.1:1"}},
        "routes": [{"path": "/", "backend": "b", "experiment": "e"}],
        "experiments": {"e": {"unit": [{"header": "x-user-id"}], "variants": variants, "control": "old"}},
    }


class Adopted:
    """Whatever routes: it notes what it was given, and refuses what it is told to."""

    def __init__(self) -> None:
        self.versions: list[int] = []
        self.refuses = 0
        self.asked = 0

    def adopt(self, state: State) -> None:
        """Note it."""
        self.asked += 1
        if state.version == self.refuses:
            raise KeyError("a backend that is not there")
        self.versions.append(state.version)


@contextlib.asynccontextmanager
async def following(redis: Redis, folder: Path, plane: Adopted) -> AsyncIterator[asyncio.Task[None]]:
    follower = Follower(redis, folder, "worker")
    task = asyncio.ensure_future(follower.follow(plane))
    try:
        yield task
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=0.5)


async def test_each_version_is_adopted_and_kept(redis: Redis, tmp_path: Path) -> None:
    plane = Adopted()
    async with following(redis, tmp_path, plane):
        state = state_of(config(1.0))
        assert await states.commit(redis, state, 0)
        await eventually(lambda: plane.versions == [1])
        after = state_of(config(2.0), state)
        assert await states.commit(redis, after, 1)
        await eventually(lambda: plane.versions == [1, 2])
        await eventually(lambda: load(tmp_path) == after)


async def test_a_version_that_cannot_be_built_leaves_the_one_in_force(redis: Redis, tmp_path: Path) -> None:
    plane = Adopted()
    async with following(redis, tmp_path, plane) as task:
        first = state_of(config(1.0))
        assert await states.commit(redis, first, 0)
        await eventually(lambda: plane.versions == [1])
        plane.refuses = 2
        second = state_of(config(2.0), first)
        assert await states.commit(redis, second, 1)
        await eventually(lambda: plane.asked == 2)
        # Notices of it make it no better: it is not tried again and again.
        for _ in range(3):
            await redis.publish(keys.NOTICE, 2)
        third = state_of(config(3.0), second)
        assert await states.commit(redis, third, 2)
        await eventually(lambda: plane.versions == [1, 3])
        assert plane.asked == 3
        assert not task.done()


async def test_a_document_that_cannot_be_read_leaves_the_one_in_force(redis: Redis, tmp_path: Path) -> None:
    """As one of a newer release."""
    plane = Adopted()
    async with following(redis, tmp_path, plane) as task:
        first = state_of(config(1.0))
        assert await states.commit(redis, first, 0)
        await eventually(lambda: plane.versions == [1])
        await redis.hset(keys.STATE, mapping={"version": 2, "document": b'{"version": 2, "new": []}'})
        await redis.publish(keys.NOTICE, 2)
        assert await states.commit(redis, replace(state_of(config(2.0), first), version=3), 2)
        await eventually(lambda: plane.versions == [1, 3])
        assert not task.done()


async def test_a_disk_that_takes_nothing_does_not_stop_a_change(redis: Redis, tmp_path: Path) -> None:
    plane = Adopted()
    folder = tmp_path / "data"
    async with following(redis, folder, plane) as task:
        folder.write_text("a file where the folder should be")
        assert await states.commit(redis, state_of(config(1.0)), 0)
        await eventually(lambda: plane.versions == [1])
        assert not task.done()
    assert load(folder) is None


def test_what_is_kept_is_loaded_and_what_cannot_be_kept_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = state_of(config(1.0))
    keep(tmp_path / "data", state)
    assert load(tmp_path / "data") == state
    assert caplog.text == ""
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "data").touch()
    keep(tmp_path / "data", state)
    assert "version 1 is not kept" in caplog.text


async def test_a_worker_says_which_version_it_runs_until_it_leaves(redis: Redis, tmp_path: Path) -> None:
    assert await states.commit(redis, state_of(config(1.0)), 0)
    follower = Follower(redis, tmp_path, "worker")
    task = asyncio.ensure_future(follower.follow(Adopted()))
    async with asyncio.timeout(10):
        while [report.version for report in await list_workers(redis)] != [1]:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    await follower.leave()
    assert await list_workers(redis) == []
