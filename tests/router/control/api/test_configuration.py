"""Are backends, routes and whole configurations changed as they are written, and can it be known before?"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from policies.assignment import assign
from policies.plan import Plan
from tests.router.control.stage import CONFIGURATION, Stage


async def test_backends(stage: Stage) -> None:
    made = await stage.call("PUT", "/backends/third", {"url": "http://127.0.0.1:9009", "timeout": "2m"})
    assert (made.status_code, made.json()["timeout"]) == (201, 120)
    assert (await stage.call("PUT", "/backends/third", {"url": "http://127.0.0.1:9010"})).status_code == 428
    changed = await stage.call(
        "PUT", "/backends/third", {"url": "http://127.0.0.1:9010"}, if_match=made.headers["etag"]
    )
    assert changed.status_code == 200
    assert list((await stage.call("GET", "/backends")).json()["backends"]) == ["one", "two", "spare", "third"]
    wrong = await stage.call("PUT", "/backends/fourth", {"url": "ftp://x", "timeout": "soon"})
    assert {each["pointer"] for each in wrong.json()["errors"]} == {"/url", "/timeout"}

    used = await stage.call("DELETE", "/backends/one", if_match="*")
    assert used.status_code == 409
    assert "/routes/0/backend" in {each["place"] for each in used.json()["errors"]}
    assert (await stage.call("DELETE", "/backends/third", if_match="*")).status_code == 204
    assert (await stage.call("GET", "/backends/third")).status_code == 404


async def test_routes(stage: Stage) -> None:
    answer = await stage.call("GET", "/routes")
    routes = answer.json()["routes"]
    routes[1]["backend"] = "two"
    changed = await stage.call("PUT", "/routes", {"routes": routes}, if_match=answer.headers["etag"])
    assert (changed.status_code, changed.json()["routes"]) == (200, routes)
    late = await stage.call("PUT", "/routes", {"routes": []}, if_match=answer.headers["etag"])
    assert late.status_code == 412
    assert [each["pointer"] for each in late.json()["changed"][0]["difference"]] == ["/routes/1/backend"]
    wrong = await stage.call("PUT", "/routes", {"routes": [{"path": "/", "backend": "thre"}]}, if_match="*")
    assert [each["pointer"] for each in wrong.json()["errors"]] == ["/routes/0/backend"]


async def test_an_unchanged_configuration_changes_nothing(stage: Stage) -> None:
    etag = await stage.etag("/configuration")
    for query in ("", "?prune=true"):
        answer = await stage.call("PUT", f"/configuration{query}", CONFIGURATION, if_match=etag)
        assert answer.json() == {"version": 1, "changed": False, "difference": [], "epochs": {}}
        preview = (await stage.call("POST", f"/validate{query}", CONFIGURATION)).json()
        assert (preview["changes"], preview["difference"], preview["moves"]) == (False, [], [])


async def test_what_is_not_named_stays_unless_it_is_pruned(stage: Stage) -> None:
    less = copy.deepcopy(CONFIGURATION)
    del less["backends"]["spare"], less["routes"][1]
    kept = (await stage.call("PUT", "/configuration", less, if_match="*")).json()
    assert not kept["changed"]
    pruned = (await stage.call("PUT", "/configuration?prune=true&why=tidy", less, if_match="*")).json()
    assert pruned["changed"]
    assert [each["pointer"] for each in pruned["difference"]] == ["/backends/spare", "/routes"]
    state = await stage.state()
    assert list(state.settings.backends) == ["one", "two"]
    assert len(state.settings.routes) == 1


async def test_layers_holdouts_and_shadows_that_are_not_named_stay(stage: Stage) -> None:
    more = {
        "layers": {"one": {}, "two": {}},
        "holdouts": {"one": {"share": 0.1}, "two": {"share": 0.1}},
        "shadows": {"one": {"backend": "spare"}, "two": {"backend": "spare"}},
    }
    await stage.call("PUT", "/configuration", CONFIGURATION | more, if_match="*")
    less = {collection: {"two": each["two"]} for collection, each in more.items()}
    kept = (await stage.call("PUT", "/configuration", CONFIGURATION | less, if_match="*")).json()
    assert not kept["changed"]
    pruned = await stage.call("PUT", "/configuration?prune=true", CONFIGURATION | less, if_match="*")
    assert {each["pointer"] for each in pruned.json()["difference"]} == {f"/{each}/one" for each in more}


@pytest.mark.parametrize(
    "weights", [(50, 50), (80, 40), (100, 0), (0, 100), (160, 40)], ids=lambda pair: "-".join(map(str, pair))
)
async def test_the_share_that_would_move_is_the_share_that_moves(
    stage: Stage, weights: tuple[int, int]
) -> None:
    wanted = copy.deepcopy(CONFIGURATION)
    arms = wanted["experiments"]["ranker"]["variants"]
    arms["champion"]["weight"], arms["challenger"]["weight"] = weights
    preview = (await stage.call("POST", "/validate", wanted)).json()
    (move,) = preview["moves"]
    before = Plan("ranker", {"champion": 80, "challenger": 20})
    after = Plan("ranker", {"champion": weights[0], "challenger": weights[1]})
    units = [f"user-{number}".encode() for number in range(20_000)]
    moved = sum(assign(before, unit).variant != assign(after, unit).variant for unit in units) / len(units)
    assert move["share"] == pytest.approx(moved, abs=0.015)
    assert "weight of" in move["why"]
    assert (await stage.state()).version == 1


async def test_a_dry_run_says_why(stage: Stage) -> None:
    wanted = copy.deepcopy(CONFIGURATION)
    ranker = wanted["experiments"]["ranker"]
    ranker["running"] = False
    (move,) = (await stage.call("POST", "/validate", wanted)).json()["moves"]
    assert move["share"] == pytest.approx(0.2)
    assert "the route's backend serves" in move["why"]

    ranker |= {"running": True, "salt": "other"}
    (move,) = (await stage.call("POST", "/validate", wanted)).json()["moves"]
    assert move["share"] == pytest.approx(1 - 0.8**2 - 0.2**2)
    assert move["why"] == "salt ranker -> other"

    del ranker["salt"]
    ranker["variants"]["challenger"]["backend"] = "spare"
    (move,) = (await stage.call("POST", "/validate", wanted)).json()["moves"]
    assert move["share"] == pytest.approx(0.2)
    ranker["control"] = "nobody"
    wrong = await stage.call("POST", "/validate", wanted)
    assert [each["pointer"] for each in wrong.json()["errors"]] == ["/experiments/ranker/control"]


async def test_the_audit_log_has_the_status_that_was_answered(stage: Stage) -> None:
    experiment = CONFIGURATION["experiments"]["ranker"]
    backend = {"url": "http://127.0.0.1:9004"}
    calls: list[tuple[str, str, Any, dict[str, str]]] = [
        ("PUT", "/backends/fourth", backend, {}),
        ("PUT", "/backends/fourth", backend | {"max_waiting": 7}, {"if_match": "*"}),
        ("PUT", "/backends/fourth", backend, {}),
        ("DELETE", "/backends/fourth", None, {"if_match": "*"}),
        ("PUT", "/experiments/second", experiment, {}),
        ("POST", "/experiments/second/pause", None, {"if_match": "*"}),
    ]
    answered = [(await stage.call(*call, **headers)).status_code for *call, headers in calls]
    assert answered == [201, 200, 428, 204, 201, 200]
    entries = (await stage.call("GET", "/audit")).json()["entries"]
    assert [each["entry"]["status"] for each in reversed(entries)][-len(calls) :] == answered
