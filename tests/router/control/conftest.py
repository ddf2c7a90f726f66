"""Real servers for these tests."""

from tests.router.store.fixtures import binary, redis, server

__all__ = ["binary", "redis", "server"]
