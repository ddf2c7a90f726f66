"""A real server of each kind, shared by the tests of a session, and an empty database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from tests.router.store.servers import binaries

BINARIES = binaries()


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
