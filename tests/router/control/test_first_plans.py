"""What of a plug-in that fails or hangs before it has planned once: in an edit, at a schedule's start?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from policies.plan import Plan
from router.control.api.policies import _replayed
from router.control.plan_records import planned_of
from router.control.startup import apply
from router.store.plans import PlanRecord
from tests.router.control.planning import BEGAN, Clock, planner_of, state_of
from tests.router.control.stage import CONFIGURATION, KEY, Stage

PLUG_IN = """
import sys
from dataclasses import dataclass
from threading import Event
from numpy import float64
from policies.plan import Plan

if __name__ == 'frozen_policy':
    Event().wait()
if __name__ == 'leaving_policy':
    sys.exit('enough')

@dataclass(frozen=True)
class Parameters:
    does: str = ''

class Policy:
    interval = 1.0
    latency_limits = ()
    Parameters = Parameters
    kind = __name__.removesuffix('_policy')

    def __init__(self, allocation, parameters):
        self.allocation, self.does = allocation, parameters.does
        if self.does == 'hangs when made':
            Event().wait()

    def plan(self, observed, now, rng, progress):
        if self.does == 'hangs':
            Event().wait()
        if self.does == 'fails':
            raise ArithmeticError('what a pity')
        if self.does == 'leaves':
            sys.exit('enough')
        if self.does == 'gives nothing':
            return None
        if self.does == 'gives what cannot be kept':
            return Plan(self.allocation.salt, self.allocation.weights, progress={'it': Event()})
        weights = {'somebody': 1.0} if self.does == 'gives others' else self.allocation.weights
        if self.does == 'weighs as numpy does':
            weights = {name: float64(2.0 * weight) for name, weight in weights.items()}
        salt = 7 if self.does == 'salts with a number' else self.allocation.salt
        draw = 'units' if self.does == 'draws by units' else 'unit'
        why = 7 if self.does == 'says why with a number' else 'it does'
        progress = {'not_before': 'later'} if self.does == 'puts off in words' else {}
        return Plan(salt, weights, draw=draw, why=why, progress=progress)
"""
KINDS = ("unsound", "frozen", "leaving")


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    info = folder / "unsound_policies-1.0.dist-info"
    info.mkdir(parents=True)
    for kind in KINDS:
        (folder / f"{kind}_policy.py").write_text(PLUG_IN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unsound_policies\nVersion: 1.0\n")
    points = "".join(f"{kind} = {kind}_policy:Policy\n" for kind in KINDS)
    (info / "entry_points.txt").write_text(f"[turnout.policies]\n{points}")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr("router.in_time.PLAN_SECONDS", 0.3)
    monkeypatch.setattr("router.in_time._hanging", {})


def experiment(policy: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**CONFIGURATION["experiments"]["ranker"], "policy": policy, **more}


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"kind": "unsound", "does": "hangs"}, "takes more than 0.3 s, when it plans"),
        ({"kind": "unsound", "does": "hangs when made"}, "takes more than 0.3 s, when it is made"),
        ({"kind": "frozen"}, "takes more than 0.3 s, when it is imported"),
        ({"kind": "leaving"}, "SystemExit"),
        ({"kind": "unsound", "does": "fails"}, "ArithmeticError('what a pity')"),
        ({"kind": "unsound", "does": "leaves"}, "SystemExit"),
        ({"kind": "unsound", "does": "gives nothing"}, "returned NoneType; allowed: a Plan"),
        ({"kind": "unsound", "does": "gives others"}, "has weights for ['somebody']"),
        ({"kind": "unsound", "does": "gives what cannot be kept"}, "cannot be kept"),
        ({"kind": "unsound", "does": "salts with a number"}, "Expected `str`, got `int` - at `$.salt`"),
        ({"kind": "unsound", "does": "draws by units"}, "Invalid enum value 'units' - at `$.draw`"),
        ({"kind": "unsound", "does": "puts off in words"}, "Expected `float`, got `str`"),
        ({"kind": "unsound", "does": "says why with a number"}, "Expected `str`, got `int` - at `$.why`"),
    ],
)
async def test_an_edit_is_refused_with_what_is_wrong(stage: Stage, policy: dict[str, Any], said: str) -> None:
    etag = await stage.etag("/experiments/ranker")
    before = await stage.state()
    answer = await stage.call("PUT", "/experiments/ranker", experiment(policy), if_match=etag)
    assert answer.status_code == 422, answer.text
    assert said in answer.text
    assert await stage.state() == before


async def test_weights_may_be_whichever_numbers_a_policy_computes_with(stage: Stage) -> None:
    etag = await stage.etag("/experiments/ranker")
    body = experiment({"kind": "unsound", "does": "weighs as numpy does"})
    answer = await stage.call("PUT", "/experiments/ranker", body, if_match=etag)
    assert answer.status_code == 200, answer.text
    weights = (await stage.state()).epochs["ranker"].weights
    assert weights == {name: 2.0 * each["weight"] for name, each in body["variants"].items()}


async def test_others_are_answered_while_a_first_plan_hangs(stage: Stage) -> None:
    etag = await stage.etag("/experiments/ranker")
    body = experiment({"kind": "unsound", "does": "hangs"})
    hanging = asyncio.create_task(stage.call("PUT", "/experiments/ranker", body, if_match=etag))
    answered = 0
    while not hanging.done():
        assert (await stage.call("GET", "/experiments/ranker")).status_code == 200
        answered += 1
    assert (await hanging).status_code == 422
    assert answered > 3


async def test_what_hangs_is_not_begun_again_while_it_does(stage: Stage) -> None:
    etag = await stage.etag("/experiments/ranker")
    body = experiment({"kind": "unsound", "does": "hangs"}, salt="another")
    answers = [await stage.call("PUT", "/experiments/ranker", body, if_match=etag) for _ in range(2)]
    assert [each.status_code for each in answers] == [422, 422]
    assert "since it was begun before" in answers[1].text


@pytest.mark.parametrize("does", ["hangs", "fails"])
async def test_a_schedule_that_begins_nothing_holds_nobody_up(
    redis: Redis, tmp_path: Path, does: str, caplog: pytest.LogCaptureFixture
) -> None:
    start = datetime.fromtimestamp(BEGAN + 5, UTC).isoformat()
    due = {"schedule": {"start": start}}
    ramp = {"kind": "split", "ramp": [{"weight": 1, "for": "10s"}, {"weight": 10, "for": "10s"}]}
    experiments = {
        "ranker": experiment(ramp),
        "broken": experiment({"kind": "unsound", "does": does}, **due),
        "sound": experiment({"kind": "unsound"}, **due),
    }
    configuration = {**CONFIGURATION, "experiments": experiments}
    await apply(redis, configuration, "turnout.yaml", tmp_path, KEY, lambda: BEGAN)
    clock = Clock()
    planner, leadership, _ = planner_of(redis, clock)
    await leadership.ask()
    for second in range(12):
        clock.now = BEGAN + second
        await planner.tick()
    state = await state_of(redis)
    assert state.epochs["ranker"].weights["challenger"] == 10.0
    assert state.asleep == ("broken",)
    assert state.epochs["sound"].number == 1
    said = [each.getMessage() for each in caplog.records if "plan_failed" in each.getMessage()]
    assert len(said) >= 1
    assert all("broken" in each for each in said)


@pytest.mark.parametrize(
    ("does", "replayed", "problem"),
    [
        ("", True, ""),
        ("puts off in words", False, ""),
        ("fails", None, "ArithmeticError('what a pity')"),
        ("leaves", None, "SystemExit"),
        ("hangs", None, "takes more than 0.3 s"),
        ("hangs when made", None, "takes more than 0.3 s"),
        ("gives nothing", None, "returned NoneType; allowed: a Plan"),
    ],
)
def test_a_policy_that_has_changed_since_is_replayed_to_what_it_does_now(
    does: str, replayed: bool | None, problem: str
) -> None:
    record = PlanRecord(
        experiment="ranker",
        epoch=2,
        at=BEGAN,
        policy={"kind": "unsound", "does": does},
        allocation={"salt": "s", "weights": {"a": 1.0, "b": 3.0}, "control": "a", "metrics": []},
        given={},
        observed=None,
        seed=7,
        planned=planned_of(Plan("s", {"a": 1.0, "b": 3.0}, why="it does")),
    )
    view = _replayed(record)
    assert view.replayed is replayed
    assert problem in view.problem
