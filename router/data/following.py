"""How does a worker learn of a new version, and who learns which one it runs?

By notice, at once, and by asking, within a second, where a notice was missed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Protocol

from msgspec.structs import replace
from redis.asyncio import Redis

from router.errors import StoreUnavailable
from router.events import say
from router.last_state import save
from router.state import State
from router.store import keys, states
from router.store.client import seam
from router.store.workers import REPORT_SECONDS, WorkerReport, forget_worker, report_worker

POLL_SECONDS = 0.5
RECONNECT_SECONDS = 0.25

log = logging.getLogger("turnout.data")


def keep(data_dir: Path, state: State) -> None:
    """Save the state for a start without Redis; where that fails, as on a full disk, serve all the same."""
    try:
        save(data_dir, state)
    except OSError as error:
        text = f"version {state.version} is not kept on disk, a start without Redis lacks it: {error}"
        say(log, "state_not_kept", text, logging.WARNING, version=state.version, detail=error)


class Adopting(Protocol):
    """What routes by a state."""

    def adopt(self, state: State) -> None:
        """Route by this state from now on."""
        ...


class Follower:
    """Keeps a worker at the version in force."""

    def __init__(self, redis: Redis, data_dir: Path, worker: str, clock: Callable[[], float] = time) -> None:
        self._redis = redis
        self._data_dir = data_dir
        self._clock = clock
        now = clock()
        self._report = WorkerReport(
            worker=worker, host=socket.gethostname(), pid=os.getpid(), started=now, version=0, since=now
        )
        self._reported = 0.0
        self._unusable = 0

    def runs(self, version: int) -> None:
        """Note which version the worker runs from now on."""
        self._report = replace(self._report, version=version, since=self._clock())
        self._reported = 0.0

    async def follow(self, plane: Adopting) -> None:
        """Adopt whatever comes into force, and say so, until cancelled; Redis may come and go."""
        while True:
            try:
                async with self._redis.pubsub() as notices:
                    with seam():
                        await notices.subscribe(keys.NOTICE)
                    while True:
                        await self._catch_up(plane)
                        await self._say()
                        with seam():
                            await notices.get_message(ignore_subscribe_messages=True, timeout=POLL_SECONDS)
            except StoreUnavailable:
                await asyncio.sleep(RECONNECT_SECONDS)

    async def leave(self) -> None:
        """The worker ends: it is listed no more."""
        await forget_worker(self._redis, self._report.worker)

    async def _catch_up(self, plane: Adopting) -> None:
        version = await states.version(self._redis)
        if version <= self._report.version or version == self._unusable:
            return
        try:
            state = await states.read(self._redis)
            if state is None:
                return
            plane.adopt(state)
        except StoreUnavailable:
            raise
        except Exception as error:
            # Whatever is wrong with it, what is in force goes on, here as in every other worker.
            running = self._report.version
            text = f"version {version} cannot be used; {running} stays in force"
            say(log, "state_unusable", text, logging.ERROR, error, version=version, in_force=running)
            self._unusable = version
            return
        self.runs(state.version)
        keep(self._data_dir, state)
        say(log, "in_force", f"version {state.version} is in force", version=state.version)

    async def _say(self) -> None:
        now = self._clock()
        if now - self._reported >= REPORT_SECONDS:
            await report_worker(self._redis, self._report, now)
            self._reported = now
