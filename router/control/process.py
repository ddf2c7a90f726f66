"""How does the control process live: apply the configuration, then answer until it is told to end?"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from time import time

import uvicorn
from redis.asyncio import Redis

from router.config_file import load
from router.control.app import make_app
from router.epochs import advance
from router.errors import StoreUnavailable
from router.hosting import Host
from router.last_state import save
from router.options import ControlOptions
from router.settings import Settings
from router.state import State
from router.store import states
from router.store.client import connect

RETRY_SECONDS = 0.5

log = logging.getLogger("turnout.control")


async def run(options: ControlOptions, ready: Callable[[], None]) -> None:
    """Apply the configuration file, then serve on the given socket until SIGTERM or SIGINT."""
    settings = load(Path(options.config_path))
    redis = connect(options.redis_url)
    state = await _apply_when_possible(redis, settings, None if options.key is None else options.key.encode())
    save(Path(options.data_dir), state)

    config = uvicorn.Config(
        make_app(redis),
        loop="uvloop",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    try:
        await Host(config, ready=ready).serve(sockets=[socket.socket(fileno=options.socket_fd)])
    finally:
        await redis.aclose()


async def apply(redis: Redis, settings: Settings, given_key: bytes | None) -> State:
    """Make the settings the state in force: a new version if they differ, new epochs where they must be."""
    while True:
        previous = await states.read(redis)
        key = await states.signing_key(redis, given_key)

        following = advance(previous, settings, time(), key=key)
        if following is previous:
            return following

        if await states.commit(redis, following, 0 if previous is None else previous.version):
            log.info("committed version %d", following.version)
            return following


async def _apply_when_possible(redis: Redis, settings: Settings, given_key: bytes | None) -> State:
    waiting = False
    while True:
        try:
            return await apply(redis, settings, given_key)
        except StoreUnavailable as error:
            if not waiting:
                log.warning("%s; the configuration is applied as soon as it does", error)
            waiting = True
            await asyncio.sleep(RETRY_SECONDS)
