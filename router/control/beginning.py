"""What is there to edit before there is a first state?"""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis

from router.control.changes import StateLost
from router.last_state import load
from router.settings import Settings
from router.state import State
from router.store import states
from router.store.workers import newest_reported


async def state_or_nothing(redis: Redis, data_dir: Path, *, key: bytes | None = None) -> State:
    """The state in force, or `nothing` where none ever was; `StateLost` where one was, and Redis lost it.

    That is known from the disk, from what was noted in Redis, and from workers that run one. Without a
    ``key`` the one in Redis is taken, and made where there is none.
    """
    state = await states.read(redis)
    if state is not None:
        return state
    if load(data_dir) is not None or await states.newest(redis) or await newest_reported(redis):
        raise StateLost(sure=True)
    return nothing(await states.signing_key(redis) if key is None else key)


def nothing(key: bytes) -> State:
    """The state that the first one follows: version 0, with the ``key`` that signs tokens."""
    return State(version=0, settings=Settings(backends={}, routes=()), epochs={}, key=key)
