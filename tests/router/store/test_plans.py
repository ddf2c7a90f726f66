"""Are plans' records kept, found by their epoch, and bounded?"""

from __future__ import annotations

from redis.asyncio import Redis

from router.store import keys, plans
from router.store.plans import (
    Planned,
    PlanRecord,
    PolicyStatus,
    read_plan,
    read_plans,
    read_status,
    save_plan,
    save_status,
)


def record(epoch: int, at: float) -> PlanRecord:
    planned = Planned(
        salt="s", weights={"a": 1.0}, copies={}, draw="unit", rule=None, why="", findings={}, progress={}
    )
    return PlanRecord(
        experiment="ranker",
        epoch=epoch,
        at=at,
        policy={"kind": "split"},
        allocation={},
        given={},
        observed=None,
        seed=epoch,
        planned=planned,
    )


async def test_a_record_is_of_one_epoch_and_one_start(redis: Redis) -> None:
    await save_plan(redis, record(2, 10.125), 10.125)
    await save_plan(redis, record(2, 11.5), 11.5)
    assert await read_plan(redis, "ranker", 2, 11.5) == record(2, 11.5)
    assert await read_plan(redis, "ranker", 2, 12.0) is None
    found = await read_plans(redis, "ranker", {1: 1.0, 2: 10.125})
    assert found == {2: record(2, 10.125)}
    assert await read_plans(redis, "other", {}) == {}


async def test_the_newest_are_kept(redis: Redis) -> None:
    for epoch in range(1, plans.KEPT_PLANS + 70):
        await save_plan(redis, record(epoch, float(epoch)), float(epoch))
    count = await redis.hlen(keys.plans("ranker"))
    assert plans.KEPT_PLANS <= count <= plans.KEPT_PLANS + 51
    assert await read_plan(redis, "ranker", 1, 1.0) is None
    assert await read_plan(redis, "ranker", plans.KEPT_PLANS + 69, plans.KEPT_PLANS + 69.0) is not None


async def test_the_last_status_stands(redis: Redis) -> None:
    assert await read_status(redis, "ranker") is None
    for at in (1.0, 2.0):
        status = PolicyStatus(epoch=3, at=at, due=at + 5, why="waits", findings={"step": 1})
        await save_status(redis, "ranker", status)
    assert await read_status(redis, "ranker") == status
