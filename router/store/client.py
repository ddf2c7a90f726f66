"""How does the service talk to Redis, and what does it say when Redis does not answer?

One server, the primary that Sentinels name, or a Cluster: each is a `redis.asyncio.Redis` to its callers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from router.errors import StoreUnavailable
from router.store.address import Address, parse
from router.store.cluster import ClusterRedis
from router.store.confirmed import ConfirmedRedis
from router.store.sentinel import primary_of

CONNECT_TIMEOUT: Final = 2.0
SOCKET_TIMEOUT: Final = 2.0
CONNECTIONS: Final = 16


def connect(url: str) -> Redis:
    """A client with pools of its own, which connects on first use and sends nothing twice by itself.

    Callers beyond a pool's connections wait their turn. The answer's timeout is also the longest wait for
    one. After a failover or a move of slots it finds by itself where to ask.

    `router.store.address.FORMS` are the URLs that there are; `ConfigurationError` for another one.
    """
    address = parse(url)
    options = _options(address)
    kind: type[Connection] = SSLConnection if address.tls else Connection

    def node(host: str, port: int) -> Redis:
        pool = BlockingConnectionPool(connection_class=kind, host=host, port=port, **options)
        return _over(pool, address)

    if address.form == "sentinel":
        return _over(primary_of(address, options), address)
    if address.form == "cluster":
        return ClusterRedis(address.hosts, node)
    if address.path:
        pool = BlockingConnectionPool(
            connection_class=UnixDomainSocketConnection, path=address.path, **options
        )
        return _over(pool, address)
    return node(*address.hosts[0])


def _over(pool: BlockingConnectionPool, address: Address) -> Redis:
    if not address.wait_replicas:
        return Redis.from_pool(pool)
    # The replicas' answer must come before the server's own is given up.
    answers = address.options.get("socket_timeout", SOCKET_TIMEOUT)
    return ConfirmedRedis(pool, address.wait_replicas, answers / 2)


def _options(address: Address) -> dict[str, Any]:
    """What a pool and its connections are told, but for where to connect."""
    answers = address.options.get("socket_timeout", SOCKET_TIMEOUT)
    return {
        "max_connections": CONNECTIONS,
        "timeout": answers,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_timeout": answers,
        "retry": Retry(NoBackoff(), 0),
        # Said here, because not every version of redis-py checks a certificate's name by itself.
        **({"ssl_check_hostname": address.options.get("ssl_cert_reqs") != "none"} if address.tls else {}),
        **address.options,
    }


@contextmanager
def seam() -> Iterator[None]:
    """Turns whatever goes wrong between here and Redis into `StoreUnavailable`."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        text = str(error) or type(error).__name__
        raise StoreUnavailable(f"Redis did not do what it was asked: {text}") from error
