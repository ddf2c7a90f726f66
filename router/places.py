"""How does a process that must always be there stay there?"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence

from router.processes import Child
from router.voice import Voice

WATCH_SECONDS = 0.05
# A process that dies at once is not started again at once, or a broken one would fill the log.
QUICK_DEATH_SECONDS = 1.0
BACK_OFF_SECONDS = 1.0


class Place:
    """One process that must always be there: it is started again whenever it ends."""

    def __init__(self, name: str, launch: Callable[[], Child], voice: Voice) -> None:
        self.name = name
        self.child: Child | None = None
        self.ready = False
        self._launch = launch
        self._voice = voice
        self._started = 0.0
        self._not_before = 0.0

    def start(self) -> None:
        """Start the process."""
        self.child = self._launch()
        self.ready = False
        self._started = time.monotonic()

    def watch(self) -> None:
        """Notice that it is ready, or that it ended, and then start it again."""
        child = self.child
        if child is None:
            if time.monotonic() >= self._not_before:
                self._start_again()
            return
        if not self.ready and _said_ready(child.ready_fd):
            self.ready = True
        status = child.process.poll()
        if status is None:
            return
        child.close()
        self.child = None
        self.ready = False
        now = time.monotonic()
        quick = now - self._started < QUICK_DEATH_SECONDS
        self._not_before = now + BACK_OFF_SECONDS if quick else now
        self._voice.say(
            "process_ended",
            f"{self.name} ended with status {status}; starting it again",
            logging.WARNING,
            process=self.name,
            status=status,
        )
        self.watch()

    def _start_again(self) -> None:
        try:
            self.start()
        except OSError as error:
            # Too little memory or too many processes, now: the other places must not end for that.
            self._not_before = time.monotonic() + BACK_OFF_SECONDS
            self._voice.say(
                "process_not_started",
                f"{self.name} could not be started again: {error}; trying again",
                logging.ERROR,
                process=self.name,
                detail=error,
            )

    def signal(self, number: int) -> None:
        """Send a signal, if there is a process."""
        if self.child is not None and self.child.process.poll() is None:
            self.child.process.send_signal(number)

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self.child is not None and self.child.process.poll() is None

    @property
    def failed(self) -> bool:
        """Whether its process ended by itself, and badly."""
        return self.child is not None and self.child.process.poll() not in (None, 0)


def _said_ready(fd: int) -> bool:
    try:
        return os.read(fd, 1) == b"1"
    except BlockingIOError:
        return False


async def stop_all(places: Sequence[Place], patience: float) -> None:
    """Tell all of them to end and wait until they have; by force after ``patience`` seconds."""
    for place in places:
        place.signal(signal.SIGTERM)
    deadline = time.monotonic() + patience
    while any(place.running for place in places):
        await asyncio.sleep(WATCH_SECONDS)
        if time.monotonic() > deadline:
            for place in places:
                place.signal(signal.SIGKILL)
    for place in places:
        if place.child is not None:
            place.child.close()
            place.child = None
