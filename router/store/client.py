"""How does the service talk to Redis, and what does it say when Redis does not answer?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from router.errors import ConfigurationError, StoreUnavailable

CONNECT_TIMEOUT = 1.0
SOCKET_TIMEOUT = 2.0
CONNECTIONS = 16


def connect(url: str) -> Redis:
    """A client with a pool of its own, which connects on first use and sends nothing twice by itself.

    Callers beyond its connections wait their turn. The answer's timeout is also the longest wait for one.

    ``url`` is ``redis://``, ``rediss://`` or ``unix://``; `ConfigurationError` for another one.
    """
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=SOCKET_TIMEOUT,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=SOCKET_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise ConfigurationError(f"redis: {error}; allowed: redis://, rediss:// or unix://") from None
    return Redis.from_pool(pool)


@contextmanager
def seam() -> Iterator[None]:
    """Turns whatever goes wrong between here and Redis into `StoreUnavailable`."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        text = str(error) or type(error).__name__
        raise StoreUnavailable(f"Redis did not do what it was asked: {text}") from error
