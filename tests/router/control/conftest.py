"""Real servers for these tests, and a control plane over them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.router.control.stage import Stage, controlling
from tests.router.store.fixtures import binary, redis, server

__all__ = ["binary", "redis", "server", "stage"]


@pytest.fixture
async def stage(redis: Redis, tmp_path: Path) -> AsyncIterator[Stage]:
    """A control plane of its own, with no token."""
    async with controlling(redis, tmp_path / "data") as running:
        yield running
