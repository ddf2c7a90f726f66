"""How do a shadow's compared pairs get into Redis, each exactly once, and back?

By bucket of units, as arrays of big-endian numbers in strings (see `router.store.layout`). Overlaps are kept
in millionths and times in microseconds, so that all sums are whole and none depends on its order.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from policies.assignment import BUCKETS
from policies.shadow.sums import PairSums, ShadowSums
from router.store import keys
from router.store.client import seam
from router.store.script import Script

MILLION: Final = 1_000_000
EXAMPLES_KEPT: Final = 50
WRITER_SECONDS: Final = 90 * 86400
# Sums of a shadow that is gone, or compares something else by now.
KEPT_SECONDS: Final = 30 * 86400

OF_PAIRS: Final = tuple(PairSums.__dataclass_fields__)
OF_BOTH: Final = ("both", "candidate_only", "noise_only")
NAMES: Final = (*(f"{pair}.{what}" for pair in ("candidate", "noise") for what in OF_PAIRS), *OF_BOTH)
"""What is summed up, each by bucket."""
_SCALES: Final = {"overlap": MILLION, "seconds": MILLION}
_EXAMPLES: Final = "examples"
_WIDTH: Final = 8


class ShadowBatch(Struct, frozen=True, kw_only=True):
    """What a writer sends as its ``number``-th of one shadow and generation; numbers go up.

    ``sums``: of the `NAMES`, by bucket. ``examples``: pairs that differ, the newest last.
    """

    shadow: str
    generation: str
    writer: str
    number: int
    sums: dict[str, dict[int, int]]
    examples: list[str]


_script = Script("shadows")
_encode = msgspec.json.Encoder().encode


async def add(redis: Redis, batch: ShadowBatch) -> bool:
    """Add a batch, all of it or nothing; False when this writer's number was counted before.

    One round trip. After `StoreUnavailable` it is unknown whether it was counted: send the same batch again.
    """
    given = tuple(name for name in NAMES if name in batch.sums)
    names = [
        keys.shadow_writer(batch.shadow, batch.generation, batch.writer),
        keys.shadow_sums(batch.shadow, batch.generation, _EXAMPLES),
        *(keys.shadow_sums(batch.shadow, batch.generation, name) for name in given),
    ]
    limits = (WRITER_SECONDS, KEPT_SECONDS, EXAMPLES_KEPT)
    arguments: list[str | bytes | int] = [_encode(batch), *limits, *given]
    with seam():
        return bool(await _script.run(redis, names, arguments))


async def read(redis: Redis, shadow: str, generation: str) -> ShadowSums:
    """All that is summed up of one generation; zeros where there is nothing."""
    with seam():
        stored: Any = await redis.mget([keys.shadow_sums(shadow, generation, name) for name in NAMES])
    found = {name: _numbers(each, name) for name, each in zip(NAMES, stored, strict=True)}
    candidate, noise = (
        PairSums(**{what: found[f"{pair}.{what}"] for what in OF_PAIRS}) for pair in ("candidate", "noise")
    )
    return ShadowSums(candidate, noise, *(found[name] for name in OF_BOTH))


async def read_examples(redis: Redis, shadow: str, generation: str, limit: int) -> list[Any]:
    """Pairs that differ, the newest first."""
    with seam():
        stored: Any = redis.lrange(keys.shadow_sums(shadow, generation, _EXAMPLES), 0, limit - 1)
        found: Sequence[bytes] = await stored
    return [msgspec.json.decode(each) for each in found]


def _numbers(stored: bytes | None, name: str) -> tuple[float, ...]:
    whole = struct.unpack(f">{BUCKETS}q", (stored or b"").ljust(BUCKETS * _WIDTH, b"\0"))
    scale = _SCALES.get(name.rpartition(".")[2])
    return whole if scale is None else tuple(number / scale for number in whole)
