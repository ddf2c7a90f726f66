"""Which real servers are there to test on, and how does one die?"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from router.store.embedded import OLDEST, EmbeddedRedis, candidates, server_version


def binaries() -> dict[str, Path]:
    """One binary of each kind and version that PATH and the wheels bring, new enough to be used."""
    places = [Path(folder) for folder in os.get_exec_path()]
    named = [folder / name for folder in places for name in ("redis-server", "valkey-server")]
    extra = [Path(path) for path in os.environ.get("TURNOUT_TEST_SERVERS", "").split(os.pathsep) if path]
    found: dict[str, Path] = {}
    for path in [*candidates(), *named, *extra]:
        if path.is_file() and (version := server_version(path)) >= OLDEST:
            found.setdefault(f"{path.name}-{'.'.join(map(str, version))}", path)
    return found


def kill(server: EmbeddedRedis) -> None:
    """End a server as ``kill -9`` does, and wait until it is gone."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: server.poll() is not None)


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition; an AssertionError when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about"
        time.sleep(0.005)
