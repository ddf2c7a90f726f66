"""How does the demo start processes of its own, and see to it that none outlives it?

Each child leads a session of its own, so that a terminal's Ctrl-C reaches the demo only, which then stops
them in order; and the kernel (Linux) sends each SIGTERM should the demo itself be killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from router.errors import TurnoutError
from router.processes import die_with_parent

READY = "ready:"

Result = TypeVar("Result")

_KEPT_LINES = 40
_PATIENCE = 45.0  # seconds between SIGTERM and SIGKILL: a router drains for up to 40


class ChildError(TurnoutError):
    """A process of the demo's did not start, or ended before its time; the text holds what it said last."""


class Child:
    """One process, what it said last, and its end."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.said: deque[str] = deque(maxlen=_KEPT_LINES)
        self._ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._listener = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Start ``command``; its environment is this process's, ``environment`` on top of it.

        Without ``TURNOUT_*``: the settings of somebody's own router are none of the demo's.
        """
        own = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**own, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
        return cls(name, process)

    async def ready(self, timeout: float) -> str:
        """The line by which it says that it serves; `ChildError` when it ends or waits too long instead."""
        try:
            # Not wait_for, which in Python 3.11 loses a cancellation that comes as the awaited ends.
            async with asyncio.timeout(timeout):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            raise ChildError(f"{self.name} was not ready within {timeout:g} s; {self.last_words()}") from None

    async def ended(self) -> ChildError:
        """Returns, with what to say about it, when the process has ended."""
        status = await self.process.wait()
        await self._listener
        return ChildError(f"{self.name} ended with status {status}; {self.last_words()}")

    async def stop(self, patience: float) -> None:
        """SIGTERM, a wait, and SIGKILL for whatever is left of its session."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(patience):
                await self.process.wait()
        except TimeoutError:
            self.said.append(f"(killed: still running {patience:g} s after SIGTERM)")
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        self._listener.cancel()
        if self._ready.done() and not self._ready.cancelled():
            self._ready.exception()

    def last_words(self) -> str:
        """What it printed last, for an error's text."""
        return "it said nothing" if not self.said else "it said last:\n  " + "\n  ".join(self.said)

    async def _listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip()
            self.said.append(text)
            if text.startswith(READY) and not self._ready.done():
                self._ready.set_result(text)
        if not self._ready.done():
            status = await self.process.wait()
            self._ready.set_exception(
                ChildError(f"{self.name} ended with status {status}; {self.last_words()}")
            )


class Children:
    """All processes of one run; leaving the context stops them, the last started first."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._started: list[Child] = []
        self._patience = patience

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self._started):
            await child.stop(self._patience)

    async def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        """See `Child.start`."""
        child = await Child.start(name, command, environment)
        self._started.append(child)
        return child

    async def while_alive(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What ``work`` returns; `ChildError` as soon as one of the processes ends before that."""
        task = asyncio.ensure_future(work)
        ends = [asyncio.create_task(child.ended()) for child in self._started]
        try:
            await asyncio.wait([task, *ends], return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                if end.done() and not task.done():
                    raise end.result()
            return await task
        finally:
            for running in (task, *ends):
                running.cancel()
            await asyncio.gather(task, *ends, return_exceptions=True)
