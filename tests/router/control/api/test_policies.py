"""Does the API say what a policy does and planned, and pass on what operators say?"""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from redis.asyncio import Redis

from router.control.leadership import Leadership
from router.control.planner import Planner
from router.control.planning_book import PlanningBook
from router.control.webhooks import Hooks
from router.store import keys
from tests.router.control.stage import CONFIGURATION, Stage

RANKER = "/experiments/ranker"


async def with_policy(stage: Stage, policy: dict[str, Any]) -> None:
    definition = {**CONFIGURATION["experiments"]["ranker"], "policy": policy}
    answer = await stage.call("PUT", RANKER, definition, if_match="*")
    assert answer.status_code == 200, answer.text


async def tick(redis: Redis, times: int = 1) -> None:
    leadership = Leadership(redis, 60)
    await leadership.ask()
    clock = iter(range(2_000_000_000, 2_000_001_000, 10))
    planner = Planner(redis, leadership, PlanningBook(), Hooks(), lambda: float(next(clock)))
    for _ in range(times):
        await planner.tick()


async def test_a_canary_is_promoted_and_rolled_back_by_operators_without_a_planner(stage: Stage) -> None:
    await with_policy(stage, {"kind": "canary"})
    begun = (await stage.call("GET", f"{RANKER}/policy")).json()
    assert (begun["kind"], begun["assigns"], begun["planned"], begun["due"]) == ("canary", True, None, None)
    assert begun["weights"] == {"champion": 100.0, "challenger": 0.0, "baseline": 0.0}
    promoted = await stage.call("POST", f"{RANKER}/promote?why=sure")
    assert promoted.status_code == 200, promoted.text
    assert promoted.json()["phase"] == "Promoting"
    assert promoted.json()["weights"]["challenger"] == 100.0
    back = (await stage.call("POST", f"{RANKER}/rollback-canary")).json()
    assert (back["phase"], back["weights"]["champion"]) == ("Failed", 100.0)
    assert back["why"] == "an operator rolled it back"
    versions = (await stage.call("GET", "/versions")).json()["versions"]
    assert versions[1]["why"] == "sure"
    assert not versions[1]["automatic"]
    for word in ("promote", "confirm", "rollback-canary"):
        refused = await stage.call("POST", f"{RANKER}/{word}")
        assert refused.status_code == 409
        assert "the canary is Failed" in refused.json()["detail"]
    plans = (await stage.call("GET", f"{RANKER}/plans")).json()["plans"]
    assert [each["by"] for each in plans[:2]] == ["policy", "policy"]
    for each in plans[:2]:
        kept = (await stage.call("GET", f"{RANKER}/plans/{each['epoch']}")).json()
        assert kept["replayed"] is True
        assert kept["record"]["seed"] is None


async def test_what_the_planner_said_last_is_shown(stage: Stage, redis: Redis) -> None:
    await with_policy(stage, {"kind": "canary"})
    await tick(redis, 3)
    found = (await stage.call("GET", f"{RANKER}/policy")).json()
    assert (found["phase"], found["step"], found["verdict"]) == ("Progressing", 1, "not enough data")
    assert "errors is not known to be safe yet" in found["why"]
    assert found["planned"] == 2_000_000_020
    assert found["due"] > found["planned"]
    assert found["findings"]["guardrails"][0]["name"] == "errors"


async def test_a_plan_whose_record_was_tampered_with_is_found_out(stage: Stage, redis: Redis) -> None:
    await with_policy(stage, {"kind": "canary"})
    await tick(redis, 2)
    key = keys.plans("ranker")
    ((field, document),) = (await redis.hgetall(key)).items()
    forged = zlib.decompress(document).replace(b'"challenger":5.0', b'"challenger":9.0')
    await redis.hset(key, field, zlib.compress(forged))
    number = field.decode().partition("@")[0]
    answer = (await stage.call("GET", f"{RANKER}/plans/{number}")).json()
    assert answer["replayed"] is False


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/experiments/nobody/policy", 404, "there is no experiment 'nobody'"),
        ("GET", "/experiments/nobody/plans", 404, "there is no experiment 'nobody'"),
        ("GET", f"{RANKER}/plans/77", 404, "has no epoch 77"),
        ("GET", f"{RANKER}/plans/1", 404, "was not opened by a policy's plan"),
        ("POST", f"{RANKER}/confirm", 409, "kind 'split', which takes no word"),
    ],
)
async def test_refusals(stage: Stage, method: str, path: str, status: int, said: str) -> None:
    answer = await stage.call(method, path)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


async def test_only_operators_may(stage: Stage) -> None:
    await with_policy(stage, {"kind": "canary"})
    tokens = {}
    for role in ("admin", "viewer", "operator"):
        shown = {"authorization": f"Bearer {tokens['admin']}"} if tokens else {}
        made = await stage.call("POST", "/tokens", {"name": role, "role": role}, **shown)
        tokens[role] = made.json()["token"]
    viewer, operator = ({"authorization": f"Bearer {tokens[each]}"} for each in ("viewer", "operator"))
    assert (await stage.call("GET", f"{RANKER}/policy", **viewer)).status_code == 200
    assert (await stage.call("POST", f"{RANKER}/promote", **viewer)).status_code == 403
    assert (await stage.call("POST", f"{RANKER}/promote", **operator)).status_code == 200
    entries = (await stage.call("GET", "/audit", **viewer)).json()["entries"]
    seen = [(each["entry"]["who"], each["entry"]["action"], each["entry"]["status"]) for each in entries]
    assert ("operator", "promote", 200) in seen
    assert ("viewer", "promote", 403) in seen
