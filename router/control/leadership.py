"""Does this control process lead, so that it is the one that plans?

Of several control processes over one Redis the one with the lease leads; the others ask for it again and
again, so that one that dies is followed soon after its lease has ended. Whoever only believes that it leads
is stopped by its fencing number, where it commits.
"""

from __future__ import annotations

import asyncio
import logging
from secrets import token_hex
from socket import gethostname
from time import monotonic
from typing import Final

from redis.asyncio import Redis

from router.errors import StoreUnavailable
from router.events import event
from router.store.lease import Lease, acquire, release

LEASE_SECONDS: Final = 3.0
# In the lease's time the leader renews it so often, and the others ask for it so often.
_RENEWALS: Final = 3
_REQUESTS: Final = 6
_RELEASE_SECONDS: Final = 0.3

log = logging.getLogger("turnout.control")


class Leadership:
    """Whether this process leads; ``ttl`` is for how many seconds the lease is given."""

    def __init__(self, redis: Redis, ttl: float = LEASE_SECONDS) -> None:
        self.holder = f"{gethostname()}:{token_hex(8)}"
        self._redis = redis
        self._ttl = ttl
        self._lease: Lease | None = None
        self._until = 0.0

    @property
    def fence(self) -> int | None:
        """The fencing number to commit under; None while another process leads."""
        return None if self._lease is None or monotonic() >= self._until else self._lease.fence

    def lost(self) -> None:
        """Lead no more: a commit was refused."""
        self._follow(None, 0.0)

    async def keep(self) -> None:
        """Ask for the lease or hold on to it, until cancelled; then give it up."""
        try:
            while True:
                await self.ask()
                await asyncio.sleep(self._ttl / (_REQUESTS if self._lease is None else _RENEWALS))
        finally:
            if self._lease is not None:
                try:
                    async with asyncio.timeout(_RELEASE_SECONDS):
                        await release(self._redis, self._lease)
                except (StoreUnavailable, TimeoutError):
                    pass  # it ends by itself

    async def ask(self) -> None:
        """Ask for the lease, or for its time anew."""
        asked = monotonic()
        try:
            lease = await acquire(self._redis, self.holder, self._ttl)
        except StoreUnavailable:
            if self.fence is None:
                self._follow(None, 0.0)
            return
        self._follow(lease, asked + self._ttl)

    def _follow(self, lease: Lease | None, until: float) -> None:
        before, self._lease, self._until = self._lease, lease, until
        if lease is not None and (before is None or before.fence != lease.fence):
            event(log, "leading", holder=self.holder, fence=lease.fence)
        elif lease is None and before is not None:
            event(log, "leading_no_more", logging.WARNING, holder=self.holder, fence=before.fence)
