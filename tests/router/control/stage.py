"""A real control plane on a real port, over a real Redis."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from redis.asyncio import Redis

from router.control.app import make_app
from router.control.startup import apply
from router.last_state import save
from router.state import State
from router.store import states

CONFIGURATION: dict[str, Any] = {
    "backends": {
        "one": {"url": "http://127.0.0.1:9001"},
        "two": {"url": "http://127.0.0.1:9002"},
        "spare": {"url": "http://127.0.0.1:9003"},
    },
    "routes": [
        {"path": "/v1/ranker", "backend": "one", "experiment": "ranker"},
        {"path": "/v1/other", "backend": "one"},
    ],
    "experiments": {
        "ranker": {
            "unit": [{"header": "x-user-id"}],
            "variants": {
                "champion": {"backend": "one", "weight": 80},
                "challenger": {"backend": "two", "weight": 20},
            },
            "control": "champion",
            "metrics": [{"name": "correct", "kind": "binary"}],
        }
    },
}
KEY = bytes(range(32))


@dataclass(frozen=True, slots=True)
class Stage:
    """The control plane's address, and what it works with."""

    url: str
    redis: Redis
    data_dir: Path
    client: httpx.AsyncClient

    async def state(self) -> State:
        """The state in force."""
        state = await states.read(self.redis)
        assert state is not None
        return state

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """A call of the API; ``if_match`` and the like are headers."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(method, f"/api/v1{path}", json=body, headers=named)

    async def etag(self, path: str) -> str:
        """The entity tag of a thing."""
        answer = await self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return str(answer.headers["etag"])


async def applied(
    redis: Redis, data_dir: Path, configuration: dict[str, Any], now: float = 1e9
) -> State | None:
    """The state after a start with this configuration file."""
    return await apply(redis, configuration, "turnout.yaml", data_dir, KEY, lambda: now)


@asynccontextmanager
async def controlling(redis: Redis, data_dir: Path) -> AsyncIterator[Stage]:
    """A control plane over an empty Redis, with `CONFIGURATION` in force."""
    state = await applied(redis, data_dir, CONFIGURATION)
    assert state is not None
    save(data_dir, state)
    async with answering(redis, data_dir) as stage:
        yield stage


@asynccontextmanager
async def answering(redis: Redis, data_dir: Path) -> AsyncIterator[Stage]:
    """A control plane over a Redis as it is."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(make_app(redis, data_dir), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            yield Stage(url, redis, data_dir, client)
    finally:
        server.should_exit = True
        await serving
