"""Does the data port answer for its health, and count what is posted to it, over real sockets and Redis?"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from redis.asyncio import Redis

from router.data.service import make_service
from router.settings import Duration, Experiment, Limits, Metric, Settings, Size, UnitSource, Variant
from router.state import Epoch, State
from router.store import keys
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from router.token import FORCED, Signer
from tests.router.data.plain_redis import server
from tests.router.store.servers import kill

NOW = 1_700_000_000
__all__ = ["server"]

KEY = bytes(range(32))
PATH = "/_turnout/outcomes"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the service reads of a worker's snapshot."""

    state: State


def snapshot() -> Snapshot:
    experiment = Experiment(
        unit=(UnitSource(header="x-user-id"),),
        variants={"champion": Variant(backend="a", weight=90), "challenger": Variant(backend="b", weight=10)},
        control="champion",
        metrics=(Metric(name="correct", kind="binary"), Metric(name="revenue", kind="mean")),
        attribution=Duration(3600),
    )
    settings = Settings(
        backends={},
        routes=(),
        experiments={"ranker": experiment, "other": experiment},
        limits=Limits(outcome_bytes=Size(64 * 1024), outcome_items=100),
    )
    epoch = Epoch(number=4, started=0, salt="s", weights={"champion": 90, "challenger": 10}, why="")
    return Snapshot(State(version=3, settings=settings, epochs={"ranker": epoch, "other": epoch}, key=KEY))


def token(decision: int = 1, flags: int = 0, name: str = "ranker", time: int = NOW, key: bytes = KEY) -> str:
    return Signer(key, name, 4, "challenger").sign(77, decision, time, flags).decode()


def item(decision: int = 1, **changes: Any) -> dict[str, Any]:
    return {"token": token(decision), "metric": "correct", "value": 1} | changes


@pytest.fixture
async def redis(server: EmbeddedRedis) -> AsyncIterator[Redis]:
    if server.poll() is not None:
        server.start()
    client = connect(server.url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def client(redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    pinned = snapshot()
    application = make_service(lambda: pinned, redis, lambda: NOW + 10.0)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        config = uvicorn.Config(application, lifespan="off", log_level="warning", ws="none")
        web = uvicorn.Server(config)
        serving = asyncio.create_task(web.serve(sockets=[listener]))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as found:
            while not web.started:
                await asyncio.sleep(0.005)
            yield found
        web.should_exit = True
        await serving


async def counted(redis: Redis, metric: str = "correct", kind: str = "binary", name: str = "ranker") -> int:
    """How many outcomes the variant's series has, over all buckets."""
    stored = await redis.get(keys.outcomes(name, 4, "challenger", metric, kind, "count")) or b""
    return sum(int.from_bytes(stored[i : i + 8]) for i in range(0, len(stored), 8))


def statuses(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 202
    body = answer.json()
    found = [result["status"] for result in body["results"]]
    for status in ("accepted", "duplicate", "refused"):
        assert body[status] == found.count(status)
    return found


def problem(answer: httpx.Response, status: int, reason: str) -> str:
    """The detail of an answer that must be a problem."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-turnout-error"] == reason
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["status"] == status
    return str(body["detail"])


async def test_health_says_the_version(client: httpx.AsyncClient) -> None:
    answer = await client.get("/_turnout/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": 3})


async def test_one_object_is_counted_once(client: httpx.AsyncClient, redis: Redis) -> None:
    assert statuses(await client.post(PATH, json=item())) == ["accepted"]
    assert statuses(await client.post(PATH, json=item())) == ["duplicate"]
    assert await counted(redis) == 1


async def test_an_array_and_lines_are_counted(client: httpx.AsyncClient, redis: Redis) -> None:
    lines = "\n".join(json.dumps(item(decision)) for decision in (2, 3, 3))
    assert statuses(await client.post(PATH, json=[item(1), item(2)])) == ["accepted"] * 2
    assert statuses(await client.post(PATH, content=lines)) == ["duplicate", "accepted", "duplicate"]
    assert await counted(redis) == 3


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson", "text/plain", "x"])
async def test_any_content_type_will_do(client: httpx.AsyncClient, kind: str) -> None:
    answer = await client.post(PATH, content=json.dumps(item()), headers={"content-type": kind})
    assert statuses(answer) == ["accepted"]


async def test_what_is_wrong_with_one_leaves_the_others(client: httpx.AsyncClient, redis: Redis) -> None:
    given = [
        item(1),
        item(2, metric="unknown"),
        item(3, value=2),
        item(4) | {"token": token(4, key=bytes(32))},
        item(5) | {"token": token(5, time=NOW - 4000)},
        item(6, metric="revenue", value=float("nan")),
        item(7, metric="revenue", value=float("inf")),
        "no object",
        item(8) | {"token": token(8, FORCED)},
        item(9, metric="revenue", value=2.5),
        item(10) | {"token": token(10, name="other")},
    ]
    answer = await client.post(PATH, content=json.dumps(given))
    assert statuses(answer) == ["accepted", *["refused"] * 7, *["accepted"] * 3]
    reasons = [result.get("reason", "") for result in answer.json()["results"]]
    words = [
        "",
        "no known metric",
        "0 or 1",
        "signature",
        "expired",
        "finite",
        "finite",
        "an object",
        "not counted",
        "",
        "",
    ]
    for word, reason in zip(words, reasons, strict=True):
        assert word in reason
        assert bool(word) == bool(reason)
    assert await counted(redis) == 1
    assert await counted(redis, "revenue", "mean") == 1
    assert await counted(redis, name="other") == 1


async def test_an_id_counts_once_for_all_tokens(client: httpx.AsyncClient, redis: Redis) -> None:
    given = [item(1, id="order-7"), item(2, id="order-7"), item(1, id="order-8"), item(1)]
    assert statuses(await client.post(PATH, json=given)) == ["accepted", "duplicate", "accepted", "accepted"]
    assert await counted(redis) == 3


async def test_a_thousand_from_many_connections_count_once(client: httpx.AsyncClient, redis: Redis) -> None:
    port = client.base_url.port
    assert port is not None
    answers = await asyncio.gather(*(_post_often(port, json.dumps(item()).encode(), 5) for _ in range(200)))
    found = [status for some in answers for status in some]
    assert sorted(found) == ["accepted"] + ["duplicate"] * 999
    assert await counted(redis) == 1


async def _post_often(port: int, body: bytes, times: int) -> list[str]:
    """The statuses of one item that is posted again and again on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    found = []
    for _ in range(times):
        writer.write(head + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(answer.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        found.append(json.loads(await reader.readexactly(size))["results"][0]["status"])
    writer.close()
    await writer.wait_closed()
    return found


async def test_nothing_posted_is_nothing_counted(client: httpx.AsyncClient) -> None:
    assert statuses(await client.post(PATH, content="[]")) == []


@pytest.mark.parametrize("body", [b"", b"metric=correct", b'{"token": ', b"\xff\n\xff"])
async def test_a_body_that_is_not_json(client: httpx.AsyncClient, body: bytes) -> None:
    assert "JSON" in problem(await client.post(PATH, content=body), 400, "not-json")


async def test_too_many_items_or_bytes(client: httpx.AsyncClient, redis: Redis) -> None:
    most = [item(decision) for decision in range(100)]
    assert "101 items" in problem(await client.post(PATH, json=[*most, item(500)]), 413, "too-many-outcomes")
    large = b" " * (64 * 1024) + json.dumps(item()).encode()
    assert "65536 bytes" in problem(await client.post(PATH, content=large), 413, "body-too-large")
    assert await counted(redis) == 0
    assert statuses(await client.post(PATH, json=most)) == ["accepted"] * 100


async def test_a_wrong_method_or_path(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH)
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"
    problem(await client.delete("/_turnout/health"), 405, "method-not-allowed")
    assert "POST /_turnout/outcomes" in problem(await client.get("/_turnout/outcome"), 404, "not-found")


async def test_without_redis_nothing_is_half_counted(
    client: httpx.AsyncClient, redis: Redis, server: EmbeddedRedis
) -> None:
    given = [item(1), item(2), item(3) | {"token": token(3, name="other")}]
    await client.post(PATH, json=given[:1])
    kill(server)
    for _ in range(3):
        answer = await client.post(PATH, json=given)
        assert "Redis" in problem(answer, 503, "store-unavailable")
        assert int(answer.headers["retry-after"]) >= 1
    assert (await client.get("/_turnout/health")).status_code == 200

    server.start()
    assert statuses(await client.post(PATH, json=given)) == ["duplicate", "accepted", "accepted"]
    assert await counted(redis) == 2
    assert await counted(redis, name="other") == 1


async def test_refusals_need_no_redis(client: httpx.AsyncClient, server: EmbeddedRedis) -> None:
    kill(server)
    assert statuses(await client.post(PATH, json=item(value=7))) == ["refused"]
