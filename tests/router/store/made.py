"""What tests put into Redis and ask of it: states, batches that leave a mark of their own, outcomes."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis

from router.errors import StoreUnavailable
from router.settings import Settings
from router.state import State
from router.store import keys
from router.store.outcomes import Outcome
from router.store.records import Batch, Delta, record


def state(version: int) -> State:
    return State(version=version, settings=Settings(backends={}, routes=()), epochs={}, key=bytes(16))


def batch(number: int, experiment: str = "ranker") -> Batch:
    """A batch that leaves its own mark: two requests in the bucket of its number."""
    delta = Delta(epoch=1, variant="champion", requests={number: 2})
    return Batch(experiment=experiment, writer="w", number=number, deltas=[delta])


async def counted(redis: Redis, experiment: str = "ranker") -> list[int]:
    """How often each batch counted."""
    stored = await redis.get(keys.sums(experiment, 1, "champion", "requests")) or b""
    stored = stored.rstrip(b"\0")
    return [int.from_bytes(stored[place : place + 8]) // 2 for place in range(0, len(stored), 8)]


async def until_answered(redis: Redis, one: Batch) -> int:
    """Send a batch until it is acknowledged; how often that failed."""
    failures = 0
    async with asyncio.timeout(30):
        while True:
            try:
                await record(redis, one)
                return failures
            except StoreUnavailable:
                failures += 1
                await asyncio.sleep(0.02)


def outcome(identity: int, **changes: Any) -> Outcome:
    """One value of a mean, under an identity of its own."""
    fields: dict[str, Any] = {
        "experiment": "ranker",
        "epoch": 1,
        "variant": "champion",
        "bucket": 5,
        "dedupe": identity.to_bytes(16),
        "metric": "revenue",
        "kind": "mean",
        "value": 1.5,
        "ttl_seconds": 60,
    }
    return Outcome(**(fields | changes))
