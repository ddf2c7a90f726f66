"""What does the control plane look after while it serves?

That the last state and the tokens' digests are on disk, and that somebody is told when Redis is empty.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from redis.asyncio import Redis

from router.control.changes import StateLost
from router.control.events import event
from router.control.token_file import save_tokens
from router.errors import StoreUnavailable, TurnoutError
from router.last_state import load, save
from router.store import states
from router.store.tokens import list_tokens

WATCH_SECONDS = 0.5

log = logging.getLogger("turnout.control")


async def keep_watching(redis: Redis, data_dir: Path) -> None:
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
            if found == "state_lost" != condition:
                event(log, found, logging.ERROR, detail=StateLost(), snapshot=saved)
            elif found == "ok" != condition:
                event(log, "redis_well", version=saved)
        condition = found
        await asyncio.sleep(WATCH_SECONDS)


async def _look(redis: Redis, data_dir: Path, saved: int) -> tuple[str, int]:
    version = await states.version(redis)
    if version == 0:
        return "state_lost", saved
    if version != saved:
        state = await states.read(redis)
        if state is not None:
            save(data_dir, state)
            saved = state.version
    save_tokens(data_dir, await list_tokens(redis))
    return "ok", saved
