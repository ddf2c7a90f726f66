"""Which state is in force when the control plane starts?

The configuration file is applied as a version by "config file" when its settings differ from those that were
last applied from a file. So what operators changed since survives a restart with an unchanged file, and a
changed file wins as a whole, with the difference on record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis

from router.control.changes import CONFIG_FILE, Author, Edit, commit, follow
from router.control.events import event
from router.epochs import advance
from router.errors import StoreUnavailable
from router.last_state import load as load_last_state
from router.settings import Settings
from router.state import State, flatten
from router.store import states

RETRY_SECONDS = 0.5

log = logging.getLogger("turnout.control")


async def begin(
    redis: Redis,
    settings: Settings,
    source: str,
    data_dir: Path,
    given_key: bytes | None,
    clock: Callable[[], float],
) -> State | None:
    """The state in force, once Redis answers; None where the disk says that Redis had one, or a newer one."""
    waiting = False
    while True:
        try:
            return await apply(redis, settings, source, data_dir, given_key, clock)
        except StoreUnavailable as error:
            if not waiting:
                event(log, "redis_away", logging.WARNING, detail=error, then="the configuration is applied")
            waiting = True
            await asyncio.sleep(RETRY_SECONDS)


async def apply(
    redis: Redis,
    settings: Settings,
    source: str,
    data_dir: Path,
    given_key: bytes | None,
    clock: Callable[[], float],
) -> State | None:
    """Apply a file's settings if they are others than a file's before; None as in `begin`."""
    digest = digest_of(settings)
    author = Author(
        who=CONFIG_FILE, role="", peer="", action="apply", target=source, why=f"{source} was applied"
    )
    while True:
        previous = await states.read(redis)
        last = load_last_state(data_dir)
        if last is not None and (previous is None or previous.version < last.version):
            if previous is not None:
                await states.note_newest(redis, last.version)
            return None
        key = await states.signing_key(redis, given_key)

        now = clock()
        if previous is None:
            following = replace(advance(None, settings, now, key=key), file=digest)
        else:
            wanted = previous.settings if previous.file == digest else settings
            following = follow(previous, Edit(wanted, previous.endings), now, key=key, file=digest)
        if following is previous:
            return following

        if await commit(redis, previous, following, author, now):
            return following


def digest_of(settings: Settings) -> str:
    """The settings' own digest: comments, order and what is a default anyway do not count.

    So a release with a new setting does not take an unchanged file for a changed one.
    """
    written = msgspec.json.encode(_given(settings), enc_hook=flatten, order="deterministic")
    return sha256(written).hexdigest()


def _given(value: Any) -> Any:
    """A value without the fields that have their defaults."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        found = ((each, getattr(value, each.name)) for each in fields)
        return {each.name: _given(inner) for each, inner in found if inner != _default(each)}
    if isinstance(value, dict):
        return {name: _given(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [_given(inner) for inner in value]
    return value


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
