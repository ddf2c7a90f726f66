"""How does the service start a process of its own, and know that it is ready?"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

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


def start(name: str, module: str, options: bytes, pass_fds: Sequence[int] = ()) -> Child:
    """Start ``python -m module READY_FD`` in a session of its own: Ctrl-C is ours to handle.

    It reads the options from its standard input, because others can read a command line, and they may hold a
    key or a password.
    """
    read_fd, write_fd = os.pipe()
    os.set_blocking(read_fd, False)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(write_fd)],
            stdin=subprocess.PIPE,
            pass_fds=[*pass_fds, write_fd],
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
    except OSError:
        os.close(read_fd)
        raise
    finally:
        os.close(write_fd)
    assert process.stdin is not None
    # A child that has died already reads nothing; whoever watches it sees that.
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(options)
    return Child(name, process, read_fd)


def told() -> tuple[bytes, Callable[[], None]]:
    """What the parent wrote, and the function to call once when ready; called by the child, as it starts."""
    return sys.stdin.buffer.read(), partial(say_ready, int(sys.argv[1]))


def say_ready(fd: int) -> None:
    """Tell the parent."""
    os.write(fd, b"1")
    os.close(fd)
