"""Do the control port's probes say what is so, to whoever asks?"""

from __future__ import annotations

from pathlib import Path

import httpx
from redis.asyncio import Redis

from router.control.app import make_app
from router.store import keys
from router.store.client import connect
from router.store.tokens import create_token
from tests.router.control.stage import Stage


async def ask(
    redis: Redis, data_dir: Path, path: str, *, begun: bool = True, peer: str = "192.0.2.7"
) -> httpx.Response:
    """What a caller from another machine, without a token, is answered."""
    app = make_app(redis, data_dir, begun=lambda: begun)
    transport = httpx.ASGITransport(app, client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://control.example") as client:
        return await client.get(path)


async def test_ready_is_who_has_a_state_whoever_asks(stage: Stage) -> None:
    await create_token(stage.redis, "root", "admin", created=1.0, created_by="a test")
    assert (await ask(stage.redis, stage.data_dir, "/api/v1/experiments")).status_code == 401
    answer = await ask(stage.redis, stage.data_dir, "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "version": 1})
    assert answer.headers["cache-control"] == "no-store"
    answer = await ask(stage.redis, stage.data_dir, "/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


async def test_not_ready_is_who_waits_lost_its_state_or_has_no_redis(stage: Stage, tmp_path: Path) -> None:
    answer = await ask(stage.redis, stage.data_dir, "/readyz", begun=False)
    assert (answer.status_code, answer.json()) == (503, {"status": "starting"})
    await stage.redis.delete(keys.STATE)
    answer = await ask(stage.redis, stage.data_dir, "/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "no_state"})
    async with connect(f"unix://{tmp_path}/nobody") as away:
        answer = await ask(away, tmp_path, "/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "redis_away"})
        assert (await ask(away, tmp_path, "/healthz")).status_code == 200
