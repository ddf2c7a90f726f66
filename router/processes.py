"""How does the service start a process of its own, and know that it is ready?"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> Callable[[], None] | None:
    """On Linux: what a child runs first, so that it is told to end when its parent is gone."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask


@dataclass(frozen=True, slots=True)
class Child:
    """A process and the pipe on which it says, with one byte, that it is ready."""

    name: str
    process: subprocess.Popen[bytes]
    ready_fd: int

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.ready_fd)


def start(name: str, module: str, options: str, pass_fds: Sequence[int] = ()) -> Child:
    """Start ``python -m module OPTIONS READY_FD`` in a session of its own: Ctrl-C is ours to handle."""
    read_fd, write_fd = os.pipe()
    os.set_blocking(read_fd, False)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", module, options, str(write_fd)],
            stdin=subprocess.DEVNULL,
            pass_fds=[*pass_fds, write_fd],
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
    except OSError:
        os.close(read_fd)
        raise
    finally:
        os.close(write_fd)
    return Child(name, process, read_fd)


def say_ready(fd: int) -> None:
    """Tell the parent; called once, by the child."""
    os.write(fd, b"1")
    os.close(fd)
