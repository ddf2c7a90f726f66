"""Who of several control planes leads, and how is one that no longer does kept from changing anything?

The lease is a key that Redis lets expire, by its own clock. Each time it is given it has a fencing number
above all before, and a commit under a number is refused unless the lease is held under that number at that
moment. So a leader that slept while its lease ended changes nothing when it wakes, whether or not another one
leads by then. (Kleppmann 2016, "How to do distributed locking".)
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from redis.asyncio import Redis

from router.errors import TurnoutError
from router.store import keys
from router.store.client import seam
from router.store.script import Script


class LeaseLost(TurnoutError):
    """A commit of one who leads no more."""

    status = 409


class Lease(Struct, frozen=True, kw_only=True):
    """What a holder was given: a fencing number, for ``ttl`` seconds from when it was given."""

    holder: str
    fence: int
    ttl: float


_acquire = Script("acquire")
_release = Script("release")


async def acquire(redis: Redis, holder: str, ttl: float) -> Lease | None:
    """Take the lease for ``ttl`` seconds; None while another one holds it.

    ``holder`` names one process and no other. The one that holds it already is given it again, under the
    same number, with the time starting anew. After `StoreUnavailable` it is unknown whether it was given: ask
    again.
    """
    with seam():
        fence = int(await _acquire.run(redis, [keys.LEASE, keys.FENCE], [holder, _milliseconds(ttl)]))
    return Lease(holder=holder, fence=fence, ttl=ttl) if fence else None


async def release(redis: Redis, lease: Lease) -> bool:
    """Give a lease up at once, for another one to take; False where it has ended already."""
    with seam():
        same = await _release.run(redis, [keys.LEASE], [f"{lease.fence} {lease.holder}"])
    return bool(same)


async def held(redis: Redis) -> tuple[str, int] | None:
    """Who holds the lease, and under which fencing number; None where nobody does."""
    with seam():
        found: Any = await redis.get(keys.LEASE)
    if found is None:
        return None
    fence, _, holder = found.decode().partition(" ")
    return holder, int(fence)


def _milliseconds(seconds: float) -> int:
    if not 0.001 <= seconds < 1e9:
        raise ValueError(f"ttl must be from 0.001 to a billion seconds, got {seconds}")
    return round(seconds * 1000)
