"""How does the control process live: apply the configuration, then answer until it is told to end?"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import time

import uvicorn

from router.config_file import load
from router.control.app import make_app
from router.control.metrics_of_reports import ReportBook, keep_computing
from router.control.startup import begin
from router.control.watch import keep_watching
from router.hosting import Host
from router.last_state import save
from router.options import ControlOptions
from router.store.client import connect

log = logging.getLogger("turnout.control")


async def run(options: ControlOptions, ready: Callable[[], None]) -> None:
    """Apply the configuration file, then serve on the given socket until SIGTERM or SIGINT."""
    settings = load(Path(options.config_path))
    redis = connect(options.redis_url)
    data_dir = Path(options.data_dir)
    key = None if options.key is None else options.key.encode()
    state = await begin(redis, settings, Path(options.config_path).name, data_dir, key, time)
    if state is not None:
        save(data_dir, state)

    book = ReportBook()
    config = uvicorn.Config(
        make_app(redis, data_dir, time, book),
        loop="uvloop",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    host = Host(config, ready=ready)
    tasks = [
        asyncio.ensure_future(keep_watching(redis, data_dir)),
        asyncio.ensure_future(keep_computing(redis, book, time)),
    ]
    for task in tasks:
        task.add_done_callback(partial(_stop_when_broken, host))
    try:
        await host.serve(sockets=[socket.socket(fileno=options.socket_fd)])
    finally:
        while any(not task.done() for task in tasks):
            # More than once: a cancellation that meets a time-out inside the Redis client is lost there.
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.5)
        await redis.aclose()


def _stop_when_broken(host: Host, task: asyncio.Future[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a background task failed; the control process ends", exc_info=task.exception())
        host.should_exit = True
