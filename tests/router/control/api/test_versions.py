"""Is the history complete, and can any version be brought back?"""

from __future__ import annotations

from router.store.workers import WorkerReport, report_worker
from tests.router.control.stage import Stage

RANKER = "/experiments/ranker"


async def weigh(stage: Stage, champion: int) -> None:
    weights = {"weights": {"champion": champion, "challenger": 20}}
    answer = await stage.call("PATCH", RANKER, weights, if_match="*")
    assert answer.status_code == 200


async def test_the_history_is_paged_and_compared(stage: Stage) -> None:
    for champion in (70, 60, 50):
        await weigh(stage, champion)
    listed = (await stage.call("GET", "/versions?limit=2")).json()
    assert (listed["current"], [each["version"] for each in listed["versions"]]) == (4, [4, 3])
    older = (await stage.call("GET", "/versions?before=3")).json()["versions"]
    assert [(each["version"], each["who"]) for each in older] == [(2, "(local)"), (1, "config file")]
    place = "/experiments/ranker/variants/champion/weight"
    step = (await stage.call("GET", "/versions/4/difference")).json()
    assert step["difference"] == [{"pointer": place, "before": 60, "after": 50}]
    whole = (await stage.call("GET", "/versions/4/difference?against=1")).json()
    assert whole["difference"] == [{"pointer": place, "before": 80, "after": 50}]
    assert (await stage.call("GET", "/versions/4/difference?against=9")).status_code == 404
    assert (await stage.call("GET", "/versions/4")).json()["settings"] == (
        await stage.call("GET", "/configuration")
    ).json()


async def test_a_version_is_brought_back_as_a_new_one(stage: Stage) -> None:
    await weigh(stage, 50)
    await stage.call("POST", f"{RANKER}/stop", {"winner": "challenger"}, if_match="*")
    etag = await stage.etag("/versions")
    back = await stage.call("POST", "/versions/1/rollback?why=too+soon", if_match=etag)
    assert back.json() == {"version": 4, "of": 1, "changed": True}
    state = await stage.state()
    assert state.endings == {}
    assert state.epochs["ranker"].weights == {"champion": 80, "challenger": 20}
    assert state.epochs["ranker"].number == 3
    assert [route.backend for route in state.settings.routes] == ["one", "one"]
    again = await stage.call("POST", "/versions/1/rollback", if_match="*")
    assert again.json() == {"version": 4, "of": 1, "changed": False}
    late = await stage.call("POST", "/versions/2/rollback", if_match=etag)
    assert (late.status_code, late.json()["changed"][0]["why"]) == (412, "too soon")


async def test_workers_are_seen_with_how_far_they_are_behind(stage: Stage) -> None:
    await weigh(stage, 50)
    report = WorkerReport(worker="a", host="h", pid=7, started=5.0, version=1, since=6.0)
    await report_worker(stage.redis, report, 1e9)
    found = (await stage.call("GET", "/workers")).json()
    (worker,) = found["workers"]
    assert (found["version"], worker["version"], worker["behind_versions"], worker["pid"]) == (2, 1, 1, 7)
    assert worker["behind_seconds"] > 0
