"""Two real backends, and a Redis that can be away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.router.data.backend import Backend
from tests.router.data.own_redis import OwnRedis


@pytest.fixture(scope="module")
def backends() -> Iterator[tuple[Backend, Backend]]:
    main, challenger = Backend("main"), Backend("challenger")
    yield main, challenger
    main.stop()
    challenger.stop()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    yield server
    server.stop()
