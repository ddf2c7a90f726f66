"""Which versions of the state were there: who made each, when, why, and what was different?

The configuration is kept once for all the versions that have it: a planner makes many versions, and changes
no setting.
"""

from __future__ import annotations

import zlib
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


class Made(Struct, frozen=True, kw_only=True):
    """One version: made ``at`` unix seconds, ``automatic`` where no person did, with the epochs it opened."""

    version: int
    at: float
    who: str
    why: str
    difference: tuple[Change, ...]
    epochs: dict[str, Epoch]
    automatic: bool = False


class Record(Made, frozen=True, kw_only=True):
    """One version with the whole configuration."""

    settings: Settings
    endings: dict[str, Ending] = {}


class _Configured(Struct, frozen=True, kw_only=True):
    """All that an operator decides."""

    settings: Settings
    endings: dict[str, Ending]


_encode = msgspec.json.Encoder(enc_hook=flatten).encode
_decode_made = msgspec.json.Decoder(Made).decode
_decode_configured = msgspec.json.Decoder(_Configured, dec_hook=revive).decode


def encode_record(record: Record) -> tuple[bytes, bytes]:
    """Who made the version and what was different, as JSON; and the configuration, compressed JSON."""
    made = Made(**{name: getattr(record, name) for name in Made.__struct_fields__})
    configured = _Configured(settings=record.settings, endings=record.endings)
    return _encode(made), zlib.compress(_encode(configured))


async def read_version(redis: Redis, version: int) -> Record | None:
    """One version; None where there was none, or where it is no longer kept."""
    with seam():
        document: Any = await redis.hget(keys.VERSIONS, str(version))
        changed: Any = await redis.hkeys(keys.VERSIONS_SETTINGS)
    last = max((number for number in map(int, changed) if number <= version), default=None)
    if document is None or last is None:
        return None
    with seam():
        compressed: Any = await redis.hget(keys.VERSIONS_SETTINGS, str(last))
    if compressed is None:
        return None
    made, configured = _decode_made(document), _decode_configured(zlib.decompress(compressed))
    return Record(
        **{name: getattr(made, name) for name in Made.__struct_fields__},
        settings=configured.settings,
        endings=configured.endings,
    )


async def list_versions(redis: Redis, *, before: int | None = None, limit: int = 50) -> list[Made]:
    """The newest versions first; ``before`` leaves out that one and all after it."""
    numbers = sorted(await _numbers(redis), reverse=True)
    return await _read(redis, [number for number in numbers if before is None or number < before][:limit])


async def versions_after(redis: Redis, version: int) -> list[Made]:
    """The versions after one, the oldest first, as far as they are kept."""
    numbers = sorted(number for number in await _numbers(redis) if number > version)
    return await _read(redis, numbers[-MOST_LISTED:])


async def _numbers(redis: Redis) -> list[int]:
    with seam():
        numbers: Any = await redis.hkeys(keys.VERSIONS)
    return [int(number) for number in numbers]


async def _read(redis: Redis, numbers: list[int]) -> list[Made]:
    if not numbers:
        return []
    with seam():
        documents: Any = await redis.hmget(keys.VERSIONS, [str(number) for number in numbers])
    return [_decode_made(document) for document in documents if document is not None]
