"""Which versions of the state were there: who made each, when, why, and what was different?"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType
from redis.asyncio import Redis

from router.settings import Settings
from router.state import Ending, Epoch, flatten, revive
from router.store import keys
from router.store.client import seam

# Of each origin: a planner that makes a version every few seconds pushes out none that a person made.
KEPT_VERSIONS: Final = 1000
MOST_LISTED: Final = 200


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One place in the configuration, as a JSON pointer; without ``before`` new, without ``after`` gone."""

    pointer: str
    before: Any | UnsetType = UNSET
    after: Any | UnsetType = UNSET


class Record(Struct, frozen=True, kw_only=True):
    """One version: made ``at`` unix seconds, ``automatic`` where no person did, with the epochs it opened."""

    version: int
    at: float
    who: str
    why: str
    difference: tuple[Change, ...]
    epochs: dict[str, Epoch]
    settings: Settings
    endings: dict[str, Ending] = {}
    automatic: bool = False


_encoder = msgspec.json.Encoder(enc_hook=flatten)
_decoder = msgspec.json.Decoder(Record, dec_hook=revive)


def encode_record(record: Record) -> bytes:
    """The record as JSON."""
    return _encoder.encode(record)


async def read_version(redis: Redis, version: int) -> Record | None:
    """One version; None where there was none, or where it is no longer kept."""
    with seam():
        document: Any = await redis.hget(keys.VERSIONS, str(version))
    return None if document is None else _decoder.decode(document)


async def list_versions(redis: Redis, *, before: int | None = None, limit: int = 50) -> list[Record]:
    """The newest versions first; ``before`` leaves out that one and all after it."""
    numbers = sorted(await _numbers(redis), reverse=True)
    return await _read(redis, [number for number in numbers if before is None or number < before][:limit])


async def versions_after(redis: Redis, version: int) -> list[Record]:
    """The versions after one, the oldest first, as far as they are kept."""
    numbers = sorted(number for number in await _numbers(redis) if number > version)
    return await _read(redis, numbers[-MOST_LISTED:])


async def _numbers(redis: Redis) -> list[int]:
    with seam():
        numbers: Any = await redis.hkeys(keys.VERSIONS)
    return [int(number) for number in numbers]


async def _read(redis: Redis, numbers: list[int]) -> list[Record]:
    if not numbers:
        return []
    with seam():
        documents: Any = await redis.hmget(keys.VERSIONS, [str(number) for number in numbers])
    return [_decoder.decode(document) for document in documents if document is not None]
