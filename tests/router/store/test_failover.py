"""Does the service go on by itself after a failover, and is nothing counted twice?"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis

from router.data.following import Follower
from router.errors import StoreUnavailable
from router.state import State
from router.store import keys, states
from router.store.client import connect
from router.store.embedded import find_server
from router.store.lease import LeaseLost, acquire
from router.store.records import record
from tests.router.data.inprocess import eventually
from tests.router.store.made import batch, counted, state, until_answered
from tests.router.store.servers import until
from tests.router.store.topologies import SERVICE, Watched, named, watched

# What is asked is answered or given up soon, so that the tests are quick.
QUICK = "socket_timeout=0.5&socket_connect_timeout=0.5"


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Watched]:
    """Of their own for each test: after a failover it takes long until all is as before."""
    with watched(find_server(), tmp_path, replicas=2) as running:
        yield running


@pytest.fixture
async def redis(servers: Watched) -> AsyncIterator[Redis]:
    async with connected(f"{servers.url}?{QUICK}") as client:
        yield client


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Redis]:
    client = connect(url)
    try:
        yield client
    finally:
        await client.aclose()


async def test_acknowledged_batches_count_once_when_the_primary_is_killed_amid_them(servers: Watched) -> None:
    async with connected(f"{servers.url}?{QUICK}&wait_replicas=1") as redis:
        failures = 0
        old = servers.primary()
        for number in range(200):
            if number == 80:
                old.kill()
            failures += await until_answered(redis, batch(number))
        assert failures
        assert servers.primary() is not old
        assert await counted(redis) == [1] * 200


class Adopted:
    """Whatever routes: it notes what it was given."""

    def __init__(self) -> None:
        self.versions: list[int] = []

    def adopt(self, state: State) -> None:
        """Note it."""
        self.versions.append(state.version)


async def test_a_worker_follows_over_an_orderly_failover(
    servers: Watched, redis: Redis, tmp_path: Path
) -> None:
    plane = Adopted()
    following = asyncio.ensure_future(Follower(redis, tmp_path, "worker").follow(plane))
    try:
        assert await states.commit(redis, state(1), 0)
        await eventually(lambda: plane.versions == [1])
        old = servers.primary()
        fail_over = ("SENTINEL", "FAILOVER", SERVICE)
        await asyncio.to_thread(until, lambda: servers.sentinels[0].ask(*fail_over) == b"OK")
        await asyncio.to_thread(
            until, lambda: all(named(each) != old.port for each in servers.sentinels), 30.0
        )

        async with asyncio.timeout(30):
            while await version_of(redis) != 2:
                with suppress(StoreUnavailable):
                    await states.commit(redis, state(2), 1)
        await eventually(lambda: plane.versions == [1, 2])
    finally:
        while not following.done():
            following.cancel()
            await asyncio.wait([following], timeout=0.5)


async def version_of(redis: Redis) -> int | None:
    """The version in force; None while Redis does not say."""
    try:
        return await states.version(redis)
    except StoreUnavailable:
        await asyncio.sleep(0.02)
        return None


async def test_a_frozen_primary_is_left_for_good(servers: Watched, redis: Redis) -> None:
    """Also in the seconds after it woke, in which it still takes itself for the primary."""
    old = servers.primary()
    lease = await acquire(redis, "a", 60.0)
    assert lease is not None
    assert await states.commit(redis, state(1), 0, fence=lease.fence)
    await asyncio.gather(*(states.version(redis) for _ in range(8)))
    await asyncio.to_thread(until, lambda: old.ask("WAIT", 2, 1000) == 2)
    old.signal(signal.SIGSTOP)
    try:
        assert await until_answered(redis, batch(1))
        assert servers.primary() is not old
    finally:
        old.signal(signal.SIGCONT)
    await asyncio.gather(*(states.version(redis) for _ in range(8)))
    assert await states.commit(redis, state(2), 1, fence=lease.fence)
    with pytest.raises(LeaseLost):
        await states.commit(redis, state(3), 2, fence=lease.fence - 1)
    assert await counted(redis) == [0, 1]
    assert servers.primary().ask("HGET", keys.STATE, "version") == b"2"


async def test_what_no_replica_has_is_lost_and_only_who_waited_knows(servers: Watched, redis: Redis) -> None:
    """The limit of a failover without waiting, as the guide states it; and that waiting closes it."""
    async with connected(f"{servers.url}?{QUICK}&wait_replicas=1") as patient:
        assert await record(redis, batch(1, "hasty"))
        assert await record(patient, batch(1, "patient"))
        old = servers.primary()
        replicas = [each for each in servers.servers if each is not old]
        for each in replicas:
            each.signal(signal.SIGSTOP)
        old.ask("CLIENT", "KILL", "TYPE", "replica")
        try:
            assert await record(redis, batch(2, "hasty"))
            with pytest.raises(StoreUnavailable):
                await record(patient, batch(2, "patient"))
            old.kill()
        finally:
            for each in replicas:
                each.signal(signal.SIGCONT)
        await until_answered(patient, batch(2, "patient"))
        assert await counted(patient, "patient") == [0, 1, 1]
        assert await counted(patient, "hasty") == [0, 1]
        assert await record(redis, batch(3, "hasty"))
        assert await counted(redis, "hasty") == [0, 1, 0, 1]
