"""Real servers for these tests, of each form: what the store does, it does on all of them."""

from tests.router.store.fixtures import binary, server, url
from tests.router.store.fixtures import everywhere as redis

__all__ = ["binary", "redis", "server", "url"]
