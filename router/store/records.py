"""How do a worker's sums get into Redis, each exactly once?"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from policies.assignment import BUCKETS, POSITIONS
from policies.latency_cells import CELLS
from router.store import keys, layout
from router.store.client import seam
from router.store.script import Script

# A writer that has been silent for this long does not come back with a batch it has sent before.
WRITER_SECONDS: Final = 90 * 86400


class Delta(Struct, kw_only=True):
    """What one worker saw of one epoch and variant since its last batch; filled in place until it is sent.

    ``requests``, ``errors`` and the latencies ``first_byte`` and ``last_byte`` (microseconds, summed) are by
    bucket; ``first_cells`` and ``last_cells`` count by `router.store.layout.histogram_index`; ``positions``
    are units' positions that this worker has not sent before; ``periods`` counts requests by the end of
    their period (`router.store.layout.period_end`); ``unidentified`` counts requests that had no unit, and
    ``fallbacks`` those that another variant's backend served.
    """

    epoch: int
    variant: str
    requests: dict[int, int] = {}
    errors: dict[int, int] = {}
    first_byte: dict[int, int] = {}
    last_byte: dict[int, int] = {}
    first_cells: dict[int, int] = {}
    last_cells: dict[int, int] = {}
    positions: list[int] = []
    periods: dict[int, int] = {}
    unidentified: int = 0
    fallbacks: int = 0


class Batch(Struct, frozen=True, kw_only=True):
    """The deltas of one experiment that a writer sends as its ``number``-th; numbers go up and may have gaps.

    ``keep_seconds`` is how long the counts by period are of use: the attribution window. ``decisions`` are
    lines for the log of them (`router.store.decisions`), of which the newest ``keep_decisions`` are kept.
    """

    experiment: str
    writer: str
    number: int
    deltas: list[Delta]
    keep_seconds: int = 366 * 86400
    decisions: list[str] = []
    keep_decisions: int = 1


_LASTS: Final = (BUCKETS - 1, layout.GROUPS * CELLS - 1, POSITIONS - 1)

_script = Script("record")
_encode = msgspec.json.Encoder().encode


async def record(redis: Redis, batch: Batch) -> bool:
    """Add a batch, all of it or nothing; False when this writer's number was counted before.

    One round trip. After `StoreUnavailable` it is unknown whether it was counted: send the same batch again.
    """
    names = [keys.writer(batch.experiment, batch.writer), keys.decisions(batch.experiment)]
    for delta in batch.deltas:
        for what in (*layout.ARRAYS, *layout.OTHERS):
            names.append(keys.sums(batch.experiment, delta.epoch, delta.variant, what))
    with seam():
        return bool(await _script.run(redis, names, (_encode(batch), WRITER_SECONDS, *_LASTS)))
