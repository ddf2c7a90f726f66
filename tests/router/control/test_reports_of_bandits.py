"""Does a bandit's report have the intervals and the regret that its planner found last?"""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis

from router.control.reports import report_of
from router.store.plans import PolicyStatus, read_status, save_status
from tests.router.control.planning import BEGAN, Clock, begun, planner_of, state_of
from tests.router.control.posting import post

UNITS = 1024
RATES = {"champion": 5, "challenger": 8}  # tenths


async def traffic(redis: Redis, epoch: int) -> None:
    """One request and one outcome of each unit."""
    won = {
        variant: {"correct": [float(unit * 7 % 10 < tenths) for unit in range(UNITS)]}
        for variant, tenths in RATES.items()
    }
    await post(redis, won, "binary", epoch)


async def test_it_has_what_the_planner_found_last(redis: Redis, tmp_path: Path) -> None:
    state = await begun(redis, tmp_path, {"kind": "thompson"})
    clock = Clock()
    assert (await report_of(redis, state, "ranker", BEGAN))["bandit"] is None

    planner, leadership, _ = planner_of(redis, clock)
    await leadership.ask()
    for epoch in (1, 2):
        await traffic(redis, epoch)
        clock.now += 600
        await planner.tick()
    status = await read_status(redis, "ranker")
    assert status is not None
    shown = (await report_of(redis, await state_of(redis), "ranker", clock.now))["bandit"]
    assert (shown["metric"], shown["planned"]) == ("correct", clock.now)
    assert shown["regret"] == status.findings["regret"]
    assert shown["regret"]["estimate"] > 0
    (contrast,) = shown["contrasts"]
    expected = status.findings["batched_ols"]["challenger"]
    assert contrast["variant"] == "challenger"
    assert contrast["fixed"]["difference"] == expected["estimate"]
    assert contrast["fixed"]["interval"]["low"] == expected["low"]
    assert contrast["always_valid"]["interval"]["high"] == expected["sequential"]["high"]
    assert expected["low"] < 0.3 < expected["high"]


async def test_another_policy_may_call_its_findings_as_it_likes(redis: Redis, tmp_path: Path) -> None:
    state = await begun(redis, tmp_path, {"kind": "thompson"})
    status = PolicyStatus(epoch=1, at=BEGAN, due=BEGAN, why="", findings={"batched_ols": "none"})
    await save_status(redis, "still", status)
    assert (await report_of(redis, state, "still", BEGAN))["bandit"] is None
