"""Does the leader bring what policies plan into force, once each, and nobody else?"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from router.control.changes import Author, Edit, change
from router.control.edits import set_weights
from router.control.plan_records import replay, same
from router.errors import StoreUnavailable
from router.state import State
from router.store.lease import LeaseLost
from router.store.plans import read_plan, read_status
from router.store.records import Batch, Delta, record
from router.store.states import read_epochs
from router.store.versions import list_versions
from tests.plug_ins import install
from tests.router.control.planning import BEGAN, Clock, begun, planner_of, state_of
from tests.router.control.stage import CONFIGURATION, applied

OPERATOR = Author(who="ada", role="operator", peer="", action="patch_experiment", target="ranker")

PLUG_IN = """
from dataclasses import dataclass
from policies.plan import Plan

@dataclass(frozen=True)
class Parameters:
    fails: bool = False
    restless: bool = False

class Counting:
    '''Moves a percent for every ten requests that it has seen; the draw of the day is its finding.'''
    kind = 'counting'
    Parameters = Parameters
    interval = 1.0
    latency_limits = ()

    def __init__(self, allocation, parameters):
        self.allocation, self.parameters = allocation, parameters

    def plan(self, observed, now, rng, progress):
        if self.parameters.fails and observed is not None:
            raise ArithmeticError('what a pity')
        seen = 0
        for epoch in observed.epochs if observed else ():
            seen += sum(each.requests for each in epoch.variants.values())
        moved = min(seen // 10, 50)
        findings = {'draw': float(rng.random())} if rng is not None and self.parameters.restless else {}
        weights = {'champion': 100.0 - moved, 'challenger': float(moved)}
        return Plan(self.allocation.salt, weights, why=f'{seen} seen', findings=findings,
                    progress={'moved': moved})
"""


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", "counting", "counting_policy:Counting", PLUG_IN)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


async def requests(redis: Redis, epoch: int, variant: str, count: int, number: int = 1) -> None:
    delta = Delta(epoch=epoch, variant=variant, requests=dict.fromkeys(range(count), 1))
    batch = Batch(experiment="ranker", writer=f"w{epoch}{variant}", number=number, deltas=[delta])
    assert await record(redis, batch)


RAMP = {"kind": "split", "ramp": [{"weight": 1, "for": "10s"}, {"weight": 10, "for": "10s"}]}


async def test_a_ramp_is_climbed_in_epochs_that_can_be_replayed(redis: Redis, tmp_path: Path) -> None:
    first = await begun(redis, tmp_path, RAMP)
    assert first.epochs["ranker"].weights == {"champion": 99.0, "challenger": 1.0}
    clock = Clock()
    planner, leadership, book = planner_of(redis, clock)
    await leadership.ask()
    for second in range(25):
        clock.now = BEGAN + second
        await planner.tick()
    epochs = await read_epochs(redis, "ranker")
    assert [(each.number, each.started - BEGAN) for each in epochs] == [(1, 0), (2, 10), (3, 20)]
    assert [each.weights["challenger"] for each in epochs] == [1.0, 10.0, 20.0]
    last = await state_of(redis)
    assert last.version == 3
    assert len(await read_epochs(redis, "still")) == 1
    assert book.epochs == {"ranker": 2}
    for epoch in epochs[1:]:
        kept = await read_plan(redis, "ranker", epoch.number, epoch.started)
        assert kept is not None
        assert kept.planned.weights == epoch.weights
        assert same(kept, replay(kept))
    assert await read_plan(redis, "ranker", 1, epochs[0].started) is None
    versions = await list_versions(redis)
    assert [(each.who, each.automatic) for each in versions[:2]] == [("planner", True)] * 2


async def test_what_was_seen_decides_and_is_on_record(redis: Redis, tmp_path: Path) -> None:
    await begun(redis, tmp_path, {"kind": "counting"})
    clock = Clock()
    planner, leadership, _ = planner_of(redis, clock)
    await leadership.ask()
    await requests(redis, 1, "champion", 40)
    clock.now += 5
    await planner.tick()
    epoch = (await state_of(redis)).epochs["ranker"]
    assert (epoch.number, epoch.weights) == (2, {"champion": 96.0, "challenger": 4.0})
    assert "40 seen" in epoch.why
    await requests(redis, 1, "champion", 10, 2)
    await requests(redis, 2, "challenger", 20)
    clock.now += 5
    await planner.tick()
    assert (await state_of(redis)).epochs["ranker"].weights == {"champion": 93.0, "challenger": 7.0}
    kept = await read_plan(redis, "ranker", 3, clock.now)
    assert kept is not None
    assert kept.observed is not None
    assert same(kept, replay(kept))


async def test_findings_alone_make_no_version(redis: Redis, tmp_path: Path) -> None:
    await begun(redis, tmp_path, {"kind": "counting", "restless": True})
    clock = Clock()
    planner, leadership, book = planner_of(redis, clock)
    await leadership.ask()
    draws = []
    for _ in range(4):
        clock.now += 2
        await planner.tick()
        status = await read_status(redis, "ranker")
        assert status is not None
        assert status.at == clock.now
        draws.append(status.findings["draw"])
    assert len(set(draws)) == 4
    assert (await state_of(redis)).version == 1
    assert book.said["ranker"].at == clock.now


async def test_a_clock_that_is_set_back_holds_no_plan_up(redis: Redis, tmp_path: Path) -> None:
    await begun(redis, tmp_path, {"kind": "counting"})
    clock = Clock()
    planner, leadership, _ = planner_of(redis, clock)
    await leadership.ask()
    clock.now += 5
    await planner.tick()
    clock.now -= 3600
    await requests(redis, 1, "champion", 40)
    await planner.tick()
    first, second = await read_epochs(redis, "ranker")
    assert second.weights["challenger"] == 4.0
    assert second.started == first.started
    kept = await read_plan(redis, "ranker", 2, second.started)
    assert kept is not None
    assert (kept.at, same(kept, replay(kept))) == (clock.now, True)


async def test_one_policy_that_fails_does_not_stop_another(
    redis: Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "turnout.control")
    other = {**CONFIGURATION["experiments"]["ranker"], "policy": RAMP}
    experiments = {
        "broken": {**other, "policy": {"kind": "counting", "fails": True}},
        "ranker": other,
    }
    configuration = {**CONFIGURATION, "experiments": experiments}
    await applied(redis, tmp_path, configuration, BEGAN)
    clock = Clock()
    planner, leadership, book = planner_of(redis, clock)
    await leadership.ask()
    for second in range(0, 15, 3):
        clock.now = BEGAN + second
        await planner.tick()
    assert (await state_of(redis)).epochs["ranker"].number == 2
    assert book.failures["broken"] == 5
    said = [record for record in caplog.messages if record.startswith("plan_failed")]
    assert len(said) == 1
    assert "what a pity" in said[0]


async def test_a_store_that_is_away_for_a_moment_is_no_failure_of_a_policy(
    redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("the connection was closed")

    await begun(redis, tmp_path, {"kind": "counting"})
    clock = Clock()
    planner, leadership, book = planner_of(redis, clock)
    await leadership.ask()
    await requests(redis, 1, "champion", 40)
    clock.now += 5
    with monkeypatch.context() as cut:
        cut.setattr("router.control.observation.read_evidence", away)
        await planner.tick()
    assert book.failures["ranker"] == 0
    assert "plan_failed" not in caplog.text
    await planner.tick()  # at once, and not an interval later
    assert (await state_of(redis)).epochs["ranker"].weights == {"champion": 96.0, "challenger": 4.0}


async def test_only_one_leads_and_one_that_slept_changes_nothing(redis: Redis, tmp_path: Path) -> None:
    await begun(redis, tmp_path, RAMP)
    clock = Clock()
    sleeper, first, one = planner_of(redis, clock, ttl=0.2)
    await first.ask()
    await sleeper.tick()
    assert one.leading
    other, second, two = planner_of(redis, clock)
    await second.ask()
    await other.tick()
    assert not two.leading

    while second.fence is None:  # the first one's lease ends by itself
        await asyncio.sleep(0.02)
        await second.ask()
    clock.now += 11
    believed = first._lease
    assert believed is not None
    first._until = float("inf")
    with pytest.raises(LeaseLost):
        await sleeper.tick()
    assert (await state_of(redis)).version == 1
    await other.tick()
    assert (await state_of(redis)).epochs["ranker"].number == 2
    assert two.leading


async def test_an_operators_change_and_a_plan_both_come_into_force(redis: Redis, tmp_path: Path) -> None:
    await begun(redis, tmp_path, RAMP)
    clock = Clock()
    planner, leadership, _ = planner_of(redis, clock)
    await leadership.ask()
    await planner.tick()
    clock.now += 11

    def edit(state: State) -> Edit:
        return set_weights(state, "still", {"champion": 50, "challenger": 50})

    await asyncio.gather(change(redis, edit, OPERATOR, clock), planner.tick())
    await planner.tick()
    clock.now += 2
    await planner.tick()
    state = await state_of(redis)
    assert state.epochs["still"].weights == {"champion": 50, "challenger": 50}
    assert state.epochs["ranker"].weights == {"champion": 90.0, "challenger": 10.0}
    assert [state.epochs[name].number for name in ("ranker", "still")] == [2, 2]


async def test_a_schedule_starts_and_ends_an_experiment(redis: Redis, tmp_path: Path) -> None:
    start, end = "2023-11-14T22:13:30Z", "2023-11-14T22:13:40Z"  # ten and twenty seconds after BEGAN
    first = await begun(redis, tmp_path, {"kind": "split"}, schedule={"start": start, "end": end})
    assert first.asleep == ("ranker",)
    clock = Clock()
    planner, leadership, _ = planner_of(redis, clock)
    await leadership.ask()
    seen = []
    for second in range(25):
        clock.now = BEGAN + second
        await planner.tick()
        seen.append((await state_of(redis)).assigns("ranker"))
    assert seen == [False] * 10 + [True] * 10 + [False] * 5
    assert (await state_of(redis)).version == 3
