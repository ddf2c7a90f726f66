"""Does a policy by features make a version only when it has learnt, and keep that over a pause?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from router.control.changes import Author, change
from router.control.edits import pause, start
from router.state import Epoch
from router.store.decisions import LoggedDecision, decision_line
from router.store.records import Batch, record
from tests.router.control.planning import BEGAN, Clock, begun, planner_of, state_of

OPERATOR = Author(who="ada", role="operator", peer="", action="start_experiment", target="ranker")
POLICY: dict[str, Any] = {
    "kind": "linear-thompson",
    "every": "1s",
    "min_decisions": 10,
    "features": [{"name": "age", "header": "x-age", "low": 0, "high": 100}],
}
METRICS = [{"name": "clicked", "kind": "binary", "per": "request"}]


async def decisions(redis: Redis, number: int, count: int) -> None:
    """So many of each variant."""
    logged = [
        LoggedDecision(1000 * number + i, int(BEGAN), ("champion", "challenger")[i % 2], 0.5, [1.0, i / 100])
        for i in range(2 * count)
    ]
    lines = [decision_line(each) for each in logged]
    batch = Batch(
        experiment="ranker", writer="w", number=number, deltas=[], decisions=lines, keep_decisions=1000
    )
    assert await record(redis, batch)


async def epoch_of(redis: Redis) -> Epoch:
    return (await state_of(redis)).epochs["ranker"]


def learnt(epoch: Epoch) -> Any:
    assert epoch.rule is not None
    return epoch.rule["arms"]


async def test_without_new_decisions_there_is_no_new_version(redis: Redis, tmp_path: Path) -> None:
    await begun(redis, tmp_path, POLICY, metrics=METRICS)
    clock = Clock()
    planner, leadership, book = planner_of(redis, clock)
    await leadership.ask()

    async def pass_time(seconds: int) -> int:
        for _ in range(seconds):
            clock.now += 1
            await planner.tick()
        assert clock.now - book.said["ranker"].at <= 2
        return (await state_of(redis)).version

    assert await pass_time(10) == 1
    await decisions(redis, 1, 20)
    assert await pass_time(10) == 2
    assert learnt(await epoch_of(redis)).keys() == {"champion", "challenger"}
    await decisions(redis, 2, 20)
    assert await pass_time(10) == 3

    follower, _, _ = planner_of(redis, clock)
    follower._leadership = leadership
    await follower.tick()
    assert (await state_of(redis)).version == 3


async def test_what_was_learnt_before_a_pause_holds_from_the_start_on(redis: Redis, tmp_path: Path) -> None:
    await begun(redis, tmp_path, POLICY, metrics=METRICS)
    clock = Clock()
    planner, leadership, _ = planner_of(redis, clock)
    await leadership.ask()
    await decisions(redis, 1, 20)
    clock.now += 5
    await planner.tick()
    before = await epoch_of(redis)
    assert learnt(before)

    await change(redis, lambda state: pause(state, "ranker"), OPERATOR, clock)
    clock.now += 3600
    await change(redis, lambda state: start(state, "ranker"), OPERATOR, clock)
    after = await epoch_of(redis)
    assert (after.number, after.rule) == (before.number + 1, before.rule)
    assert "experiment was started" in after.why
