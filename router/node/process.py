"""How does the process live that answers for a node's workers?"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from time import time

import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from router.control.api.serving import failed
from router.control.metrics_of_workers import WorkersCollector
from router.control.metrics_page import metrics_route
from router.control.token_file import save_tokens
from router.errors import StoreUnavailable, TurnoutError
from router.events import say
from router.heartbeats import Heartbeats
from router.hosting import Host
from router.node.answers import not_here
from router.node.probes import probe_routes
from router.options import ProbeProcess
from router.store import states
from router.store.client import connect
from router.store.tokens import list_tokens

TOKENS_SECONDS = 2.0

log = logging.getLogger("turnout.node")


async def run(options: ProbeProcess, ready: Callable[[], None]) -> None:
    """Answer on the given socket until SIGTERM or SIGINT."""
    redis = connect(options.redis_url)
    data_dir = Path(options.data_dir)
    beats = Heartbeats(options.beats_fd, options.places)
    draining = asyncio.Event()
    asyncio.get_running_loop().add_reader(options.draining_fd, _note, options.draining_fd, draining)

    app = Starlette(
        routes=[
            *probe_routes(beats, draining.is_set),
            metrics_route(redis, data_dir, WorkersCollector(data_dir, time)),
        ],
        exception_handlers={HTTPException: not_here, Exception: failed},
    )
    config = uvicorn.Config(
        app, loop="uvloop", lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=5
    )
    keeping = asyncio.ensure_future(keep_tokens(redis, data_dir))
    try:
        await Host(config, ready=ready).serve(sockets=[socket.socket(fileno=options.socket_fd)])
    finally:
        while not keeping.done():
            # More than once: a cancellation that meets a time-out inside the Redis client is lost there.
            keeping.cancel()
            await asyncio.wait([keeping], timeout=0.5)
        await redis.aclose()


def _note(descriptor: int, draining: asyncio.Event) -> None:
    """The supervisor closed its end of the pipe, or is gone."""
    asyncio.get_running_loop().remove_reader(descriptor)
    os.close(descriptor)
    draining.set()


async def keep_tokens(redis: Redis, data_dir: Path) -> None:
    """Keep the tokens' digests on disk, until cancelled, so that a scrape is answered without Redis, too."""
    failing = False
    while True:
        try:
            # An empty Redis is one that lost its tokens: those on disk stand.
            if await states.version(redis):
                save_tokens(data_dir, await list_tokens(redis))
            failing = False
        except StoreUnavailable:
            pass
        except (TurnoutError, OSError) as error:
            if not failing:
                text = f"the tokens' digests cannot be kept: {error}"
                say(log, "tokens_not_kept", text, logging.WARNING, detail=error)
            failing = True
        await asyncio.sleep(TOKENS_SECONDS)
