"""A real server of each kind, shared by the tests of a session, and an empty database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from tests.router.store.servers import binaries
from tests.router.store.topologies import clustered, watched

BINARIES = binaries()
FORMS = ("single", "sentinel", "cluster")


@pytest.fixture(scope="session", params=BINARIES.values(), ids=BINARIES.keys())
def binary(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture(scope="session")
def server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    embedded = EmbeddedRedis(tmp_path_factory.mktemp("redis"), binary)
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture
async def redis(server: EmbeddedRedis) -> AsyncIterator[Redis]:
    client = connect(server.url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture(
    scope="session",
    params=[(form, name) for form in FORMS for name in BINARIES],
    ids=lambda each: "-".join(each),
)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server, one that Sentinels watch, and a Cluster, of each kind of server."""
    form, name = request.param
    folder = tmp_path_factory.mktemp(form)
    if form == "single":
        embedded = EmbeddedRedis(folder, BINARIES[name])
        embedded.start()
        yield embedded.url
        embedded.stop()
        return
    with (watched if form == "sentinel" else clustered)(BINARIES[name], folder) as started:
        yield started.url


@pytest.fixture
async def everywhere(url: str) -> AsyncIterator[Redis]:
    """An empty Redis, of each form in turn."""
    client = connect(url)
    for node in await primaries(client):
        await node.flushall()
    yield client
    await client.aclose()


async def primaries(redis: Redis) -> list[Redis]:
    """The servers that hold the data: what has no key is asked of each."""
    found = getattr(redis, "primaries", None)
    return [redis] if found is None else await found()
