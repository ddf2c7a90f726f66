"""How does a client keep to the primary that the Sentinels name?

Each new connection asks them, so that after a failover the connections that broke come back to the new one;
redis-py closes those that are idle as soon as one learns that there is another primary.
"""

from __future__ import annotations

from typing import Any, cast

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from router.store.address import Address


class _Pool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to the primary, for which callers wait; closing it closes those to the Sentinels, too."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                await sentinel.aclose()


def primary_of(address: Address, options: dict[str, Any]) -> BlockingConnectionPool:
    """Connections to the primary; ``options`` are those of a blocking pool of them.

    The Sentinels are spoken to over TLS with the same files where the primary is, and with a user and
    password of their own.
    """
    shared = {
        name: value
        for name, value in options.items()
        if name.startswith(("socket_", "ssl_")) or name == "retry"
    }
    manager = cast(Any, Sentinel)(
        address.hosts, sentinel_kwargs={**shared, "ssl": address.tls, **address.sentinel}
    )
    kind = SentinelManagedSSLConnection if address.tls else SentinelManagedConnection
    pool: BlockingConnectionPool = cast(Any, _Pool)(
        address.service, manager, connection_class=kind, **options
    )
    return pool
