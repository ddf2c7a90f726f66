"""How does the control process live: apply the configuration, and answer until it is told to end?"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from time import time

import uvicorn
from redis.asyncio import Redis

from router.cancelling import end_all
from router.config_file import load_data
from router.control.app import make_app
from router.control.folding import keep_folding
from router.control.leadership import Leadership
from router.control.metrics_of_reports import ReportBook, keep_computing
from router.control.planner import keep_planning
from router.control.planning_book import PlanningBook
from router.control.startup import begin
from router.control.watch import Sight, keep_watching
from router.events import say
from router.hosting import Host
from router.last_state import save
from router.options import ControlProcess
from router.store.client import connect

log = logging.getLogger("turnout.control")


async def run(options: ControlProcess, ready: Callable[[], None]) -> None:
    """Serve on the given socket until SIGTERM or SIGINT, and apply the configuration file, if there is one.

    It answers from the start, and is ready when the file is in force: while it waits for Redis it says so.
    """
    redis = connect(options.redis_url)
    data_dir = Path(options.data_dir)
    begun = asyncio.Event()
    book, planning, sight = ReportBook(), PlanningBook(), Sight()
    leadership = Leadership(redis)
    config = uvicorn.Config(
        make_app(redis, data_dir, time, book, planning, sight, workers=options.workers, begun=begun.is_set),
        loop="uvloop",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    serving = asyncio.Event()
    host = Host(config, ready=serving.set)

    async def start() -> None:
        await _apply(options, redis)
        begun.set()
        await serving.wait()
        ready()

    starting = asyncio.ensure_future(start())
    starting.add_done_callback(partial(_end_when_failed, host))
    background: list[Callable[[], Awaitable[None]]] = [
        partial(keep_watching, redis, data_dir, sight),
        partial(keep_computing, redis, book, time),
        leadership.keep,
        partial(keep_planning, redis, leadership, planning, time),
        partial(keep_folding, redis, leadership, time),
    ]
    tasks = [asyncio.ensure_future(_after(begun, work)) for work in background]
    for task in tasks:
        task.add_done_callback(partial(_stop_when_broken, host))
    try:
        await host.serve(sockets=[socket.socket(fileno=options.socket_fd)])
    finally:
        await end_all([*tasks, starting])
        await redis.aclose()
    if not starting.cancelled():
        starting.result()


async def _apply(options: ControlProcess, redis: Redis) -> None:
    """Put the configuration file in force, if there is one, as soon as Redis answers."""
    if options.config_path is None:
        return
    path, data_dir = Path(options.config_path), Path(options.data_dir)
    data = load_data(path)
    key = None if options.key is None else options.key.encode()

    state = await begin(redis, data, path.name, data_dir, key, time)

    if state is not None:
        save(data_dir, state)


async def _after(begun: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
    await begun.wait()
    await work()


def _end_when_failed(host: Host, starting: asyncio.Future[None]) -> None:
    if not starting.cancelled() and starting.exception() is not None:
        host.should_exit = True


def _stop_when_broken(host: Host, task: asyncio.Future[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        text = "a background task failed; the control process ends"
        say(log, "task_failed", text, logging.ERROR, task.exception())
        host.should_exit = True
