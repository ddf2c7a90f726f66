"""Is the first version made through the API, by the same checks, and never over a state that was lost?"""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio import Redis

from router.control.startup import apply
from router.last_state import save
from router.store import states
from router.store.workers import WorkerReport, report_worker
from tests.router.control.stage import CONFIGURATION, answering, applied

SOURCE = "?source=turnout.yaml"


async def test_it_is_shown_and_then_made(redis: Redis, tmp_path: Path) -> None:
    async with answering(redis, tmp_path) as stage:
        shown = await stage.call("POST", f"/validate{SOURCE}", CONFIGURATION)
        preview = shown.json()
        assert (preview["version"], preview["changes"], preview["recorded"]) == (0, True, False)
        pointers = ["/backends/one", "/backends/two", "/backends/spare", "/routes", "/experiments/ranker"]
        assert [each["pointer"] for each in preview["difference"]] == pointers
        assert preview["moves"] == [{"experiment": "ranker", "share": 1.0, "why": "first epoch"}]
        assert await redis.keys("*") == []

        etag = shown.headers["etag"]
        made = await stage.call("PUT", f"/configuration{SOURCE}", CONFIGURATION, if_match=etag)
        assert (made.status_code, made.json()["version"], made.json()["changed"]) == (200, 1, True)
        late = await stage.call("PUT", f"/configuration{SOURCE}", CONFIGURATION, if_match=etag)
        assert late.status_code == 412
        assert [each["version"] for each in late.json()["changed"]] == [1]

        state = await stage.state()
        assert (state.version, state.epochs["ranker"].number) == (1, 1)
        assert state.key == await states.signing_key(redis)
        # A start with that file finds it applied.
        assert await apply(redis, CONFIGURATION, "turnout.yaml", tmp_path, None, lambda: 2e9) == state
        (version,) = (await stage.call("GET", "/versions")).json()["versions"]
        assert [each["pointer"] for each in version["difference"]] == pointers


async def test_it_is_checked_like_any_other(redis: Redis, tmp_path: Path) -> None:
    async with answering(redis, tmp_path) as stage:
        wrong = CONFIGURATION | {"routes": [{"path": "/", "backend": "thre"}]}
        for method, path in (("POST", "/validate"), ("PUT", "/configuration")):
            refused = await stage.call(method, path, wrong, if_match="*")
            assert refused.status_code == 422
            assert [each["pointer"] for each in refused.json()["errors"]] == ["/routes/0/backend"]
        assert (await stage.call("PUT", "/configuration", CONFIGURATION)).status_code == 428
        unread = await stage.call("GET", "/configuration")
        assert unread.status_code == 503
        assert "turnout apply" in unread.json()["detail"]
        assert await states.read(redis) is None


@pytest.mark.parametrize("known_by", ["disk", "note", "worker"])
async def test_a_state_that_was_lost_is_not_begun_anew(redis: Redis, tmp_path: Path, known_by: str) -> None:
    state = await applied(redis, tmp_path, CONFIGURATION)
    assert state is not None
    await redis.flushall()
    if known_by == "disk":
        save(tmp_path, state)
    elif known_by == "note":
        await states.note_newest(redis, 1)
    else:
        report = WorkerReport(worker="w", host="h", pid=1, started=1.0, version=1, since=1.0)
        await report_worker(redis, report, 1e9)
    async with answering(redis, tmp_path) as stage:
        for method, path in (("POST", "/validate"), ("PUT", "/configuration")):
            refused = await stage.call(method, path, CONFIGURATION, if_match="*")
            assert (refused.status_code, refused.json()["title"]) == (503, "StateLost")
    assert await states.read(redis) is None
