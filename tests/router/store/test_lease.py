"""Does one lead at a time, and does one that no longer does change nothing?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from router.settings import Settings
from router.state import State
from router.store import keys, states
from router.store.lease import LeaseLost, acquire, held, release

SETTINGS = Settings(backends={}, routes=())


def state(version: int) -> State:
    return State(version=version, settings=SETTINGS, epochs={}, key=bytes(16))


async def gone(redis: Redis) -> None:
    """Wait until the lease has ended by Redis' own clock."""
    async with asyncio.timeout(10):
        while await held(redis) is not None:
            await asyncio.sleep(0.005)


async def test_one_of_many_leads(redis: Redis) -> None:
    assert await held(redis) is None
    given = await asyncio.gather(*(acquire(redis, f"control {n}", 30.0) for n in range(20)))
    (lease,) = [each for each in given if each is not None]
    assert await held(redis) == (lease.holder, lease.fence)
    assert 29.0 < await redis.pttl(keys.LEASE) / 1000 <= 30.0


async def test_the_holder_is_given_it_again_under_the_same_number(redis: Redis) -> None:
    first = await acquire(redis, "a", 5.0)
    again = await acquire(redis, "a", 50.0)
    assert first is not None
    assert again is not None
    assert again.fence == first.fence
    assert await redis.pttl(keys.LEASE) > 40_000


@pytest.mark.parametrize("end", [release, "expiry"], ids=["released", "expired"])
async def test_each_leader_has_a_higher_number(
    redis: Redis, end: Callable[..., Awaitable[bool]] | str
) -> None:
    fences = []
    for holder in ("a", "b", "a", "a b c"):
        lease = await acquire(redis, holder, 30.0)
        assert lease is not None
        assert await held(redis) == (holder, lease.fence)
        fences.append(lease.fence)
        if callable(end):
            assert await end(redis, lease)
        else:
            await redis.pexpire(keys.LEASE, 1)
            await gone(redis)
    assert fences == sorted(set(fences))


async def test_no_number_is_given_twice_where_the_last_were_lost(redis: Redis) -> None:
    """As in a failover to a replica that had not heard of them."""
    first = await acquire(redis, "a", 30.0)
    await redis.delete(keys.LEASE, keys.FENCE)
    async with asyncio.timeout(10):
        while (
            (second := await acquire(redis, "b", 30.0)) is None
            or first is None
            or second.fence == first.fence
        ):
            await redis.delete(keys.LEASE, keys.FENCE)
    assert second.fence > first.fence


async def test_a_server_whose_clock_is_behind_counts_on(redis: Redis) -> None:
    far = 10**15
    await redis.set(keys.FENCE, far)
    lease = await acquire(redis, "a", 30.0)
    assert lease is not None
    assert lease.fence == far + 1
    assert await states.commit(redis, state(1), 0, fence=lease.fence)


async def test_asking_again_holds_on(redis: Redis) -> None:
    lease = await acquire(redis, "a", 30.0)
    await redis.pexpire(keys.LEASE, 5_000)
    assert await acquire(redis, "a", 30.0) == lease
    assert await redis.pttl(keys.LEASE) > 20_000


async def test_only_the_holder_gives_it_up(redis: Redis) -> None:
    lease = await acquire(redis, "a", 30.0)
    assert lease is not None
    assert await release(redis, lease)
    assert not await release(redis, lease)

    other = await acquire(redis, "b", 30.0)
    assert other is not None
    assert not await release(redis, lease)
    assert await held(redis) == ("b", other.fence)


@pytest.mark.parametrize("ttl", [0.0, -1.0, float("nan"), float("inf")])
async def test_a_time_that_is_none(redis: Redis, ttl: float) -> None:
    with pytest.raises(ValueError, match="ttl must be"):
        await acquire(redis, "a", ttl)


async def test_the_leader_commits(redis: Redis) -> None:
    lease = await acquire(redis, "a", 30.0)
    assert lease is not None
    assert await states.commit(redis, state(1), 0, fence=lease.fence)
    assert not await states.commit(redis, state(1), 0, fence=lease.fence)
    assert await states.commit(redis, state(2), 1)
    assert await states.version(redis) == 2


async def test_a_leader_that_slept_commits_nothing(redis: Redis) -> None:
    """Neither while nobody leads nor while another one does, whatever version it expects."""
    lease = await acquire(redis, "a", 30.0)
    assert lease is not None
    assert await states.commit(redis, state(1), 0, fence=lease.fence)

    await redis.pexpire(keys.LEASE, 1)
    await gone(redis)
    for expected in (0, 1):
        with pytest.raises(LeaseLost, match=f"fencing number {lease.fence}") as caught:
            await states.commit(redis, state(expected + 1), expected, fence=lease.fence)
        assert caught.value.status == 409

    other = await acquire(redis, "b", 30.0)
    assert other is not None
    with pytest.raises(LeaseLost):
        await states.commit(redis, state(2), 1, fence=lease.fence)
    assert await states.version(redis) == 1
    assert await states.commit(redis, state(2), 1, fence=other.fence)


async def test_a_number_that_begins_like_the_right_one_is_another(redis: Redis) -> None:
    lease = await acquire(redis, "7", 30.0)
    assert lease is not None
    for wrong in (lease.fence // 10, lease.fence * 10 + 7, 0):
        with pytest.raises(LeaseLost):
            await states.commit(redis, state(1), 0, fence=wrong)
    assert await states.version(redis) == 0
