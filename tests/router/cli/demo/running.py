"""One demo and its processes, to be looked at from outside."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

DEMO = [sys.executable, "-m", "router.cli", "demo"]


class Run:
    """One demo and whatever it started, found by a folder in their environment or (Redis) their title."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.environment = {**os.environ, "TMPDIR": folder, "COLUMNS": "140"}

    def processes(self) -> dict[int, str]:
        """The running processes of this run, by their id."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                title = (folder / "cmdline").read_text().replace("\0", " ")
                if f"TMPDIR={self.folder}" in (folder / "environ").read_text() or self.folder in title:
                    found[int(folder.name)] = title
        return found

    def left_behind(self) -> list[str]:
        """Processes and files of this run that are there."""
        return [*self.processes().values(), *map(str, Path(self.folder).iterdir())]

    def gone(self, within: float) -> bool:
        """Whether all of them end in time."""
        return wait(lambda: not self.processes(), within)

    def kill(self) -> None:
        """All that is left, for the sake of the next test."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
