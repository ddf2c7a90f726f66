"""How does one worker process live: from its first state to its last flushed sum?"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from os import urandom
from pathlib import Path
from time import time
from typing import Any, cast

import uvicorn
from redis.asyncio import Redis

from router.data.access_log import LoggedConnection
from router.data.downstream import ClientConnection
from router.data.following import Follower, keep
from router.data.metering import Reporter
from router.data.ofrep import Evaluator
from router.data.plane import Plane
from router.data.recorder import Recorder, keep_flushing
from router.data.service import make_service
from router.data.shadow_ledger import Ledger, keep_sending
from router.errors import StoreUnavailable
from router.events import say
from router.heartbeats import BEAT_SECONDS, Heartbeats
from router.hosting import DRAIN_SECONDS, Host
from router.last_state import load
from router.options import WorkerProcess
from router.state import State
from router.store import shadows, states
from router.store.client import connect
from router.store.records import record

LAST_FLUSH_SECONDS = 5.0
STATE_SECONDS = 0.5

log = logging.getLogger("turnout.data")


async def run(options: WorkerProcess, ready: Callable[[], None]) -> None:
    """Serve on the given socket until SIGTERM or SIGINT."""
    redis = connect(options.redis_url)
    data_dir = Path(options.data_dir)
    name = urandom(8).hex()
    recorder = Recorder(
        name, partial(record, redis), data_dir / "journal", lambda experiment: plane.attribution(experiment)
    )
    ledger = Ledger(name, partial(shadows.add, redis))
    plane = Plane(recorder, ledger)
    first = await adopt_first(plane, redis, data_dir)
    follower = Follower(redis, data_dir, name)
    follower.runs(first.version)
    plane.application = make_service(
        lambda: plane.snapshot,
        redis,
        count=plane.meter.count_outcome,
        more=Evaluator(lambda: plane.snapshot, plane.decisions, time).routes(),
    )
    reporter = Reporter(data_dir, name, plane, time)

    listener = socket.socket(fileno=options.socket_fd)
    config = uvicorn.Config(
        cast(Any, plane.application),
        http=cast(Any, partial(LoggedConnection if options.access_log else ClientConnection, plane)),
        ws="none",
        loop="uvloop",
        lifespan="off",
        log_config=None,
        access_log=False,
        backlog=4096,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    beats = Heartbeats(options.beats_fd, options.places)

    def serves() -> None:
        beats.beat(options.place)
        ready()

    host = Host(config, ready=serves, draining=partial(setattr, plane, "draining", True))
    # What lives as long as the process need not be looked at by the collector again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)

    background: list[Awaitable[None]] = [
        _keep_beating(beats, options.place, host),
        plane.keep_sweeping(),
        keep_flushing(recorder, time),
        keep_sending(ledger),
        reporter.keep_writing(),
        follower.follow(plane),
        _replay(recorder),
    ]
    tasks = [asyncio.ensure_future(work) for work in background]
    for task in tasks:
        task.add_done_callback(partial(_stop_when_broken, host))
    try:
        await host.serve(sockets=[listener])
    finally:
        await _cancel(tasks)
        beats.clear(options.place)
        plane.shadows.close()
        await _last_flush(recorder, ledger)
        await reporter.finish()
        with contextlib.suppress(StoreUnavailable):
            await follower.leave()
        await redis.aclose()


def _stop_when_broken(host: Host, task: asyncio.Future[None]) -> None:
    """A background task that fails would leave a worker that only looks alive: it ends, and is replaced."""
    if not task.cancelled() and task.exception() is not None:
        text = "a background task failed; the worker ends"
        say(log, "task_failed", text, logging.ERROR, task.exception())
        host.should_exit = True


async def _cancel(tasks: Collection[asyncio.Future[None]]) -> None:
    # More than once: a cancellation that meets a time-out inside the Redis client is lost there.
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.5)


async def adopt_first(plane: Plane, redis: Redis, data_dir: Path) -> State:
    """Route by the state in Redis, or where none can be had or used, by the last one on disk; which it is.

    Where there is neither, wait for one, and say once for what.
    """
    said = ""
    while True:
        state, why = await _from_redis(plane, redis, data_dir)
        if state is not None:
            return state
        state = load(data_dir)
        if state is not None:
            plane.adopt(state)
            text = f"{why}; starting from the last snapshot, version {state.version}"
            say(log, "started_from_disk", text, logging.WARNING, version=state.version, detail=why)
            return state
        if why != said:
            text = f"waiting for a state to route by: {why}, and {data_dir} has no last snapshot"
            say(log, "waiting_for_state", text, logging.WARNING, detail=why)
            said = why
        await asyncio.sleep(STATE_SECONDS)


async def _from_redis(plane: Plane, redis: Redis, data_dir: Path) -> tuple[State | None, str]:
    """The state in Redis, adopted and kept; or why not."""
    try:
        state = await states.read(redis)
        if state is None:
            return None, "Redis has none"
        last = load(data_dir)
        if last is not None and state.version < last.version:
            return None, f"the one in Redis is older, version {state.version}"
        plane.adopt(state)
    except StoreUnavailable as error:
        return None, f"Redis does not answer ({error})"
    except Exception as error:
        return None, f"the one in Redis cannot be used ({error})"
    keep(data_dir, state)
    return state, ""


async def _keep_beating(beats: Heartbeats, place: int, host: Host) -> None:
    while True:
        if host.started:
            beats.beat(place)
        await asyncio.sleep(BEAT_SECONDS)


async def _replay(recorder: Recorder) -> None:
    while True:
        try:
            batches = await recorder.replay()
        except StoreUnavailable:
            await asyncio.sleep(1)
            continue
        if batches:
            text = f"sent {batches} batches that an earlier worker had kept"
            say(log, "batches_sent", text, batches=batches)
        return


async def _last_flush(recorder: Recorder, ledger: Ledger) -> None:
    try:
        async with asyncio.timeout(LAST_FLUSH_SECONDS):
            await recorder.flush(time())
            # What shadows answered is not worth a journal: without Redis this last second of it is lost.
            await ledger.flush()
    except (StoreUnavailable, TimeoutError):
        kept = recorder.save(time())
        text = f"Redis does not answer; {kept} batches are kept in the journal for the next worker"
        say(log, "batches_kept", text, logging.WARNING, batches=kept)
