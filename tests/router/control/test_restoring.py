"""Is a Redis that came back empty or older noticed, and does the last snapshot become the state again?"""

from __future__ import annotations

import asyncio
import logging

import pytest

from router.control.changes import Author
from router.control.restoring import restore
from router.control.token_file import load_tokens, save_tokens
from router.control.watch import Sight, keep_watching
from router.errors import StoreUnavailable
from router.last_state import load, save
from router.state import State
from router.store import keys, states
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from router.store.tokens import list_tokens
from router.store.workers import WorkerReport, report_worker
from tests.router.control.stage import CONFIGURATION, KEY, Stage, applied

AUTHOR = Author(who="a test", role="", peer="", action="restore", target="")
RANKER = "/experiments/ranker"


async def emptied(stage: Stage) -> None:
    """Redis, as it comes back without its file; the disk has the state of before."""
    save(stage.data_dir, await stage.state())
    await stage.redis.flushall()


async def test_nothing_is_recreated_in_silence(stage: Stage) -> None:
    await emptied(stage)
    health = await stage.client.get("/health")
    assert (health.status_code, health.json()["status"]) == (503, "state_lost")
    assert "POST /api/v1/restore" in health.json()["detail"]
    for method, path in (("GET", "/experiments"), ("POST", f"{RANKER}/pause")):
        answer = await stage.call(method, path, if_match="*")
        assert (answer.status_code, answer.json()["title"]) == (503, "StateLost")
    assert await applied(stage.redis, stage.data_dir, CONFIGURATION) is None
    assert await stage.redis.keys("*state*") == []
    assert (await stage.call("GET", "/snapshot")).json() == {
        "lost": True,
        "version": 1,
        "experiments": ["ranker"],
    }


async def test_the_snapshot_becomes_the_state_with_new_epochs(stage: Stage) -> None:
    before = await stage.state()
    await emptied(stage)
    answer = await stage.call("POST", "/restore?why=disk+died")
    assert answer.json() == {"version": 2}
    state = await stage.state()
    assert (state.settings, state.files, state.key) == (before.settings, before.files, KEY)
    assert state.epochs["ranker"].number == 2
    assert "restored from the snapshot of version 1" in state.epochs["ranker"].why
    assert [epoch.number for epoch in await states.read_epochs(stage.redis, "ranker")] == [2]
    assert await stage.redis.get(keys.SIGNING_KEY) == KEY
    assert (await stage.client.get("/health")).json() == {"status": "ok", "version": 2}
    newest = (await stage.call("GET", "/versions")).json()["versions"][0]
    assert (newest["version"], newest["why"]) == (2, "disk died")
    assert await applied(stage.redis, stage.data_dir, CONFIGURATION) == state


async def test_a_state_is_not_restored_over(stage: Stage) -> None:
    assert (await stage.call("POST", "/restore")).status_code == 409
    await stage.redis.flushall()
    (stage.data_dir / "state.json").unlink()
    assert (await stage.call("POST", "/restore")).status_code == 409


async def test_an_empty_redis_opens_nothing(stage: Stage) -> None:
    made = await stage.call("POST", "/tokens", {"name": "root", "role": "admin"})
    shown = {"authorization": f"Bearer {made.json()['token']}"}
    await emptied(stage)
    assert (await stage.call("GET", "/snapshot")).status_code == 401
    assert (await stage.call("POST", "/restore")).status_code == 401
    assert (await stage.call("POST", "/restore", **shown)).status_code == 200
    assert await stage.redis.hlen(keys.TOKENS) == 1
    assert (await stage.call("GET", RANKER, **shown)).status_code == 200


@pytest.mark.parametrize(("now", "started"), [(2e9, 2e9), (1.0, 1e9)])
async def test_no_epoch_starts_before_the_one_that_it_follows(
    stage: Stage, now: float, started: float
) -> None:
    await emptied(stage)
    state = await restore(stage.redis, stage.data_dir, AUTHOR, now)
    assert state.epochs["ranker"].started == started


@pytest.mark.parametrize("refused", [keys.TOKENS, keys.SIGNING_KEY])
async def test_what_fails_on_the_way_can_be_done_again(
    server: EmbeddedRedis, stage: Stage, refused: str
) -> None:
    """By a user of Redis who may not write one of the keys."""
    await stage.call("POST", "/tokens", {"name": "root", "role": "admin"})
    save_tokens(stage.data_dir, await list_tokens(stage.redis))
    await emptied(stage)
    others = f"{{turnout}}:[^{refused.partition(':')[2][0]}]*"
    await stage.redis.acl_setuser(
        "limited", enabled=True, nopass=True, keys=[others], categories=["+@all"], channels=["*"]
    )
    limited = connect(server.url.replace("://", "://limited:any@"))
    try:
        with pytest.raises(StoreUnavailable):
            await restore(limited, stage.data_dir, AUTHOR, 1e9)
    finally:
        await limited.aclose()
        await stage.redis.acl_deluser("limited")
    assert await states.read(stage.redis) is None
    await restore(stage.redis, stage.data_dir, AUTHOR, 1e9)
    assert (await stage.state()).key == await stage.redis.get(keys.SIGNING_KEY) == KEY
    assert [each.name for each in await list_tokens(stage.redis)] == ["root"]


async def test_the_watch_keeps_the_disk_and_says_each_trouble_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "turnout.control")
    watching = asyncio.create_task(keep_watching(stage.redis, stage.data_dir, Sight()))
    try:
        weights = {"weights": {"champion": 1, "challenger": 1}}
        await stage.call("PATCH", RANKER, weights, if_match="*")
        await stage.call("POST", "/tokens", {"name": "root", "role": "admin"})
        async with asyncio.timeout(20):
            while (last := load(stage.data_dir)) is None or last.version != 2:
                await asyncio.sleep(0.01)
            await stage.redis.flushall()
            while "state_lost" not in caplog.text:
                await asyncio.sleep(0.01)
            await restore(stage.redis, stage.data_dir, AUTHOR, 1e9)
            while "redis_well" not in caplog.text:
                await asyncio.sleep(0.01)
    finally:
        watching.cancel()
    assert caplog.text.count("state_lost") == 1
    assert [record.name for record in load_tokens(stage.data_dir)] == ["root"]


async def older(stage: Stage) -> State:
    """Redis, as it was two versions ago; the disk has the newest state, which this returns."""
    backup = {name: await stage.redis.dump(name) for name in await stage.redis.keys("*")}
    for weight in (1, 2):
        weights = {"weights": {"champion": weight, "challenger": 1}}
        assert (await stage.call("PATCH", RANKER, weights, if_match="*")).status_code == 200
    newest = await stage.state()
    save(stage.data_dir, newest)
    await stage.redis.flushall()
    for name, value in backup.items():
        await stage.redis.restore(name, 0, value)
    return newest


async def noticed(stage: Stage, caplog: pytest.LogCaptureFixture, name: str = "state_older") -> None:
    """Watch until an event is in the log."""
    caplog.set_level(logging.INFO, "turnout.control")
    watching = asyncio.create_task(keep_watching(stage.redis, stage.data_dir, Sight()))
    try:
        async with asyncio.timeout(20):
            while name not in caplog.text:
                await asyncio.sleep(0.01)
    finally:
        watching.cancel()


async def test_an_older_state_is_told_and_changes_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    newest = await older(stage)
    await noticed(stage, caplog)
    assert "version 1" in caplog.text
    assert f"version {newest.version}" in caplog.text
    assert load(stage.data_dir) == newest

    health = await stage.client.get("/health")
    assert (health.status_code, health.json()["status"], health.json()["version"]) == (503, "state_older", 1)
    answer = await stage.call("PATCH", RANKER, {"weights": {"champion": 9, "challenger": 1}}, if_match="*")
    assert (answer.status_code, answer.json()["title"]) == (503, "StateOlder")
    assert "POST /api/v1/restore" in answer.json()["detail"]
    assert await states.version(stage.redis) == 1
    assert (await stage.call("GET", "/snapshot")).json()["lost"] is True


async def test_a_start_on_an_older_state_applies_nothing(stage: Stage) -> None:
    newest = await older(stage)
    changed = {**CONFIGURATION, "routes": CONFIGURATION["routes"][:1]}
    assert await applied(stage.redis, stage.data_dir, changed) is None
    assert await states.version(stage.redis) == 1
    assert await states.newest(stage.redis) == newest.version


async def test_the_newest_state_is_restored_over_an_older_one(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    newest = await older(stage)
    await noticed(stage, caplog)
    assert (await stage.call("POST", "/restore")).json() == {"version": newest.version + 1}
    state = await stage.state()
    assert state.settings == newest.settings
    assert state.epochs["ranker"].number == newest.epochs["ranker"].number + 1
    numbers = [epoch.number for epoch in await states.read_epochs(stage.redis, "ranker")]
    assert numbers == [1, state.epochs["ranker"].number]
    assert (await stage.client.get("/health")).json() == {"status": "ok", "version": newest.version + 1}
    assert (await stage.call("POST", "/restore")).status_code == 409
    weights = {"weights": {"champion": 9, "challenger": 1}}
    assert (await stage.call("PATCH", RANKER, weights, if_match="*")).status_code == 200


async def test_what_only_a_worker_knows_counts_too(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """As where the control plane's own disk is new: no version and no epoch of before is given again."""
    report = WorkerReport(worker="w", host="h", pid=1, started=1.0, version=9, since=1.0)
    await report_worker(stage.redis, report, 100.0)
    await noticed(stage, caplog)
    before = await stage.state()
    assert (await stage.call("POST", "/restore")).json() == {"version": 10}
    assert (await stage.state()).epochs["ranker"].number == before.epochs["ranker"].number + 9
