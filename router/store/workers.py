"""Which version does each worker run, and since when?

Each worker says so when it adopts a version and every few seconds between. A report expires, so that a worker
that is gone is not listed.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from router.store import keys
from router.store.client import seam

REPORT_SECONDS: Final = 2.0
EXPIRES_SECONDS: Final = 7


class WorkerReport(Struct, frozen=True, kw_only=True):
    """A worker's state: the version it runs and ``since`` when, its process and when that ``started``."""

    worker: str
    host: str
    pid: int
    started: float
    version: int
    since: float


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(WorkerReport).decode


async def report_worker(redis: Redis, report: WorkerReport, now: float) -> None:
    """Say what a worker runs; ``now`` is unix seconds."""
    with seam():
        async with redis.pipeline(transaction=True) as pipe:
            pipe.set(keys.worker(report.worker), _encode(report), ex=EXPIRES_SECONDS)
            pipe.zadd(keys.WORKERS, {report.worker: now})
            pipe.zremrangebyscore(keys.WORKERS, 0, now - 10 * EXPIRES_SECONDS)
            await pipe.execute()


async def forget_worker(redis: Redis, worker: str) -> None:
    """A worker that ends takes its report with it."""
    with seam():
        async with redis.pipeline(transaction=True) as pipe:
            pipe.delete(keys.worker(worker))
            pipe.zrem(keys.WORKERS, worker)
            await pipe.execute()


async def list_workers(redis: Redis) -> list[WorkerReport]:
    """The workers that reported in the last seconds, by host and process."""
    with seam():
        names: Any = await redis.zrange(keys.WORKERS, 0, -1)
        documents: Any = await redis.mget([keys.worker(name.decode()) for name in names]) if names else []
    reports = [_decode(document) for document in documents if document is not None]
    return sorted(reports, key=lambda report: (report.host, report.pid, report.worker))


async def newest_reported(redis: Redis) -> int:
    """The newest version that any worker says it runs; 0 where none says anything."""
    return max((report.version for report in await list_workers(redis)), default=0)
