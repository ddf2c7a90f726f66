"""What did operators do, and what was refused?

A Redis stream, bounded. Refusals of callers who did not show a valid token go to a stream of their own.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from router.store import keys
from router.store.client import seam

KEPT_ENTRIES: Final = 10_000


class Entry(Struct, frozen=True, kw_only=True):
    """One thing done or refused: by whom and from where, with the answer's status and the version it made.

    ``who`` is a token's name; for a caller without a valid one it is in parentheses.
    """

    at: float
    who: str
    role: str
    peer: str
    action: str
    target: str
    status: int
    version: int | None = None
    why: str = ""
    detail: str = ""


class Logged(Struct, frozen=True, kw_only=True):
    """An entry, with the id under which the stream keeps it."""

    id: str
    entry: Entry


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)


def encode_entry(entry: Entry) -> bytes:
    """The entry as JSON."""
    return _encoder.encode(entry)


async def log_entry(redis: Redis, entry: Entry, *, stranger: bool = False) -> None:
    """Append an entry; a commit appends that of its change itself."""
    stream = keys.AUDIT_STRANGERS if stranger else keys.AUDIT
    with seam():
        await redis.xadd(stream, {"entry": encode_entry(entry)}, maxlen=KEPT_ENTRIES, approximate=True)


async def read_entries(redis: Redis, limit: int) -> list[Logged]:
    """The newest entries of both streams, the newest first."""
    found: list[tuple[tuple[int, int], Logged]] = []
    with seam():
        for stream in (keys.AUDIT, keys.AUDIT_STRANGERS):
            items: Any = await redis.xrevrange(stream, count=limit)
            for raw, fields in items:
                milliseconds, _, number = raw.decode().partition("-")
                entry = _decoder.decode(fields[b"entry"])
                found.append(((int(milliseconds), int(number)), Logged(id=raw.decode(), entry=entry)))
    found.sort(key=lambda each: each[0], reverse=True)
    return [logged for _, logged in found[:limit]]
