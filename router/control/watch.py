"""What does the control plane look after while it serves?

That the last state and the tokens' digests are on disk, and that somebody is told when Redis is empty, or has
an older state than was in force.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from redis.asyncio import Redis

from router.control.changes import StateLost
from router.control.token_file import save_tokens
from router.errors import StoreUnavailable, TurnoutError
from router.events import event
from router.last_state import load, save
from router.store import states
from router.store.tokens import list_tokens
from router.store.workers import newest_reported

WATCH_SECONDS = 0.5

log = logging.getLogger("turnout.control")


class Sight:
    """Whether Redis answered when it was asked last; not before it was."""

    redis_up = False


async def keep_watching(redis: Redis, data_dir: Path, sight: Sight) -> None:
    """Look twice a second, until cancelled; say each change for the better or worse once."""
    last = load(data_dir)
    saved = 0 if last is None else last.version
    condition = "ok"
    while True:
        try:
            found, saved = await _look(redis, data_dir, saved)
        except StoreUnavailable as error:
            found = "redis_away"
            if condition != found:
                event(log, found, logging.WARNING, detail=error)
        except (TurnoutError, OSError) as error:
            found = "trouble"
            if condition != found:
                event(log, found, logging.ERROR, detail=error)
        else:
            if found == "state_older" != condition:
                older = states.StateOlder(await states.version(redis), await states.newest(redis))
                event(log, found, logging.ERROR, detail=older, snapshot=saved)
            elif found == "state_lost" != condition:
                event(log, found, logging.ERROR, detail=StateLost(sure=True), snapshot=saved)
            elif found == "no_state" != condition:
                event(log, found, logging.WARNING, detail="nothing was ever applied; start one with --config")
            elif found == "ok" != condition:
                event(log, "redis_well", version=saved)
        condition = found
        sight.redis_up = condition != "redis_away"
        await asyncio.sleep(WATCH_SECONDS)


async def _look(redis: Redis, data_dir: Path, saved: int) -> tuple[str, int]:
    # Before the version: a worker that is ahead of one read earlier may just have been quick.
    newest = max(saved, await newest_reported(redis))
    version = await states.version(redis)
    if version == 0:
        return "state_lost" if saved else "no_state", saved
    if version < newest:
        # What is on disk stays there: it is what can be restored.
        await states.note_newest(redis, newest)
        return "state_older", saved
    if version != saved:
        state = await states.read(redis)
        if state is not None:
            save(data_dir, state)
            saved = state.version
    save_tokens(data_dir, await list_tokens(redis))
    return "ok", saved
