"""How do the planes agree on one state, and on which epochs there have been?"""

from __future__ import annotations

from secrets import token_bytes
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from router.errors import ConfigurationError, TurnoutError
from router.state import Epoch, State, decode_state, encode_state
from router.store import keys
from router.store.audit import KEPT_ENTRIES, Entry, encode_entry
from router.store.client import seam
from router.store.lease import LeaseLost
from router.store.script import Script
from router.store.versions import KEPT_VERSIONS, Record, encode_record

_commit = Script("commit")
_newest = Script("newest")
_NOT_LEADING: Final = 2
_OLDER: Final = 3
_encode_epoch = msgspec.json.Encoder().encode
_decode_epoch = msgspec.json.Decoder(Epoch).decode


class EpochConflict(TurnoutError):
    """An epoch's number was given before, to another allocation."""

    status = 409


class StateOlder(TurnoutError):
    """Redis has a state, and a newer one was in force: a backup was restored, or a failover lost it."""

    status = 503

    def __init__(self, version: int, newest: int) -> None:
        super().__init__(
            f"Redis has version {version} of the state, and version {newest} was in force before: a backup "
            "was restored, or a failover lost the last writes. The workers go on with what they have, and "
            "nothing is changed until POST /api/v1/restore makes the last snapshot the state again; after "
            "that an older version can be rolled back to"
        )


async def read(redis: Redis) -> State | None:
    """The state last committed; None before the first."""
    with seam():
        document: Any = await redis.hget(keys.STATE, "document")
    if document is None:
        return None
    try:
        return decode_state(document)
    except msgspec.MsgspecError as error:
        raise TurnoutError(f"the state in Redis ({keys.STATE}) cannot be read: {error}") from error


async def version(redis: Redis) -> int:
    """The version of the state last committed; 0 before the first."""
    with seam():
        number: Any = await redis.hget(keys.STATE, "version")
    return int(number or 0)


async def note_newest(redis: Redis, version: int) -> None:
    """Remember that a version was in force: from now on none up to it is committed, but `StateOlder`.

    For what knows it elsewhere than from Redis, when the version in Redis is below it.
    """
    with seam():
        await _newest.run(redis, [keys.NEWEST], [version])


async def newest(redis: Redis) -> int:
    """The newest version that was noted as one that was in force; 0 where there was no need to."""
    with seam():
        number: Any = await redis.get(keys.NEWEST)
    return int(number or 0)


async def commit(
    redis: Redis,
    state: State,
    expected_version: int,
    record: Record | None = None,
    entry: Entry | None = None,
    *,
    fence: int | None = None,
) -> bool:
    """Make this the state if the one in force has the expected version (0: none), and give notice of it.

    Its epochs are recorded in the same step, so that none that ever was in force is unknown; so are the
    version's record and the audit log's entry, where they are given. `EpochConflict`, and nothing done, when
    an epoch has the number of another allocation of before; `LeaseLost`, and nothing done, when ``fence`` is
    given and the lease is not held under that number; `StateOlder` where a version as new was in force.
    """
    if state.version != expected_version + 1:
        raise ValueError(f"version must be {expected_version + 1}, the one after, got {state.version}")
    return await _commit_over(redis, state, expected_version, record, entry, fence)


async def restore(redis: Redis, state: State, record: Record, entry: Entry, over: int = 0) -> bool:
    """Make this the state if version ``over`` (0: none) is in force; the key that signs goes with it.

    It may have any version that is above all that were noted as newest. After `StoreUnavailable` either
    nothing was done, or all that matters: an empty Redis gets the key first, lest another one be made.
    """
    with seam():
        await redis.set(keys.SIGNING_KEY, state.key, nx=True)
    if not await _commit_over(redis, state, over, record, entry):
        return False
    with seam():
        await redis.set(keys.SIGNING_KEY, state.key)
    return True


async def _commit_over(
    redis: Redis,
    state: State,
    expected_version: int,
    record: Record | None,
    entry: Entry | None,
    fence: int | None = None,
) -> bool:
    automatic = record is not None and record.automatic
    origin = keys.VERSIONS_AUTOMATIC if automatic else keys.VERSIONS_BY_HAND
    names = [keys.STATE, keys.VERSIONS, origin, keys.AUDIT, keys.LEASE, keys.NEWEST, keys.VERSIONS_SETTINGS]
    # Of a version that follows the last one the others' epochs were recorded with it; what is restored may
    # follow from another.
    follows = record is not None and expected_version and state.version == expected_version + 1
    opened = record.epochs if record is not None and follows else state.epochs
    names += [keys.epochs(name) for name in opened]
    arguments: list[str | bytes | int] = [expected_version, state.version, encode_state(state), keys.NOTICE]
    made, configured = (b"", b"") if record is None else encode_record(record)
    arguments += [made, KEPT_VERSIONS]
    arguments += [b"" if entry is None else encode_entry(entry), KEPT_ENTRIES]
    arguments.append(b"" if fence is None else fence)
    arguments.append(b"" if record is not None and follows and not record.difference else configured)
    for epoch in opened.values():
        arguments += [epoch.number, _written(epoch)]
    with seam():
        result = int(await _commit.run(redis, names, arguments))
    if result < 0:
        name, epoch = list(opened.items())[-result - 1]
        raise EpochConflict(
            f"epoch {epoch.number} of experiment {name!r} was in force before with another allocation; "
            "allowed: a number above all that were used"
        )
    if result == _NOT_LEADING:
        raise LeaseLost(
            f"the lease is not held under the fencing number {fence} any more; allowed: acquire it anew, "
            "read the state, and decide again"
        )
    if result == _OLDER:
        raise StateOlder(expected_version, await newest(redis))
    return result == 1


def _written(epoch: Epoch) -> bytes:
    """An epoch as its record has it: the same before and after it was written and read.

    A default is left out when it is the very object, and an equal text that was read from a file is not.
    """
    return _encode_epoch(_decode_epoch(_encode_epoch(epoch)))


async def signing_key(redis: Redis, given: bytes | None = None) -> bytes:
    """The key that tokens are signed with: the given one, else one made once and kept in Redis."""
    if given is not None:
        if not 16 <= len(given) <= 32:
            raise ConfigurationError(f"the signing key has {len(given)} bytes; allowed: 16 to 32")
        return given
    with seam():
        await redis.set(keys.SIGNING_KEY, token_bytes(32), nx=True)
        key: Any = await redis.get(keys.SIGNING_KEY)
    return bytes(key)


async def record_epoch(redis: Redis, experiment: str, epoch: Epoch) -> None:
    """Keep an epoch; `commit` does it for those in force. Recording the same again changes nothing."""
    written = _written(epoch)
    with seam():
        new: Any = await redis.hsetnx(keys.epochs(experiment), str(epoch.number), written)
        kept: Any = written if new else await redis.hget(keys.epochs(experiment), str(epoch.number))
    if kept != written:
        raise EpochConflict(
            f"epoch {epoch.number} of experiment {experiment!r} was recorded before, differently"
        )


async def read_epochs(redis: Redis, experiment: str) -> list[Epoch]:
    """All epochs of an experiment by number; empty for one that never ran."""
    with seam():
        documents: Any = await redis.hvals(keys.epochs(experiment))
    return sorted((_decode_epoch(document) for document in documents), key=lambda epoch: epoch.number)
