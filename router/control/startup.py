"""Which state is in force when the control plane starts?

The configuration file is applied as a version by "config file" when its settings differ from those that were
last applied from a file of its name, at a start or by ``turnout apply``. So what operators changed since
survives a restart with an unchanged file, and a changed file wins as a whole, with the difference on record.
But what an operator paused or ended stays so, unless the file says ``running`` of it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace
from redis.asyncio import Redis

from router.config_file import read_settings
from router.control.changes import CONFIG_FILE, AppliedFile, Author, Edit, commit, files_after, follow
from router.control.edits import set_configuration
from router.control.file_digest import digest_of
from router.epochs import advance
from router.errors import StoreUnavailable
from router.events import event
from router.last_state import load as load_last_state
from router.state import State
from router.store import states

RETRY_SECONDS = 0.5

log = logging.getLogger("turnout.control")


async def begin(
    redis: Redis,
    data: object,
    source: str,
    data_dir: Path,
    given_key: bytes | None,
    clock: Callable[[], float],
) -> State | None:
    """The state in force, once Redis answers; None where the disk says that Redis had one, or a newer one.

    ``data`` is the file as plain data; `InvalidConfiguration` where it cannot be used.
    """
    waiting = False
    while True:
        try:
            return await apply(redis, data, source, data_dir, given_key, clock)
        except StoreUnavailable as error:
            if not waiting:
                event(log, "redis_away", logging.WARNING, detail=error, then="the configuration is applied")
            waiting = True
            await asyncio.sleep(RETRY_SECONDS)


async def apply(
    redis: Redis,
    data: object,
    source: str,
    data_dir: Path,
    given_key: bytes | None,
    clock: Callable[[], float],
) -> State | None:
    """Apply a file's settings if they are others than that file's before; all else as in `begin`."""
    settings = read_settings(data)
    file = AppliedFile(source, digest_of(settings), whole=True)
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
            following = replace(advance(None, settings, now, key=key), files=files_after({}, file))
        elif previous.files.get(source) == file.digest:
            following = follow(previous, Edit(previous.settings, previous.endings), now, key=key)
        else:
            edit = dataclasses.replace(set_configuration(previous, data, prune=True), file=file)
            following = follow(previous, edit, now, key=key)
        if following is previous:
            return following

        if await commit(redis, previous, following, author, now):
            return following
