"""How does a test run the whole service: supervisor, control plane, workers and Redis, as a user would?"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from router.state import decode_state
from router.store.embedded import EmbeddedRedis
from tests.router.data.client import Connection, Response

_FIRST_PORT = 10_000


def free_port() -> int:
    """A port on which nobody listens now.

    None that the system gives to connections as their own end: one of those may be taken by the time that
    whoever was told of it listens, or while it is started again.
    """
    while True:
        port = random.randrange(_FIRST_PORT, _first_of_connections())
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _first_of_connections() -> int:
    """The lowest port that a connection may get by itself; on other systems than Linux 49152."""
    try:
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 49_152
    return max(lowest, _FIRST_PORT + 1_000)


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Ask until the answer is true, and give it; `AssertionError` after a while."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.01)
    return answer


def is_listening(port: int) -> bool:
    """Whether a connection is accepted."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


Shape = Literal["serve", "apart"]
SHAPES: tuple[Shape, ...] = ("serve", "apart")


class Command:
    """A `turnout` command that runs until it is told to end."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self.log = log
        command = [sys.executable, "-m", "router.cli", *arguments]
        with log.open("w") as file:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    @property
    def said(self) -> str:
        """Its log up to now."""
        return self.log.read_text()

    @property
    def ready(self) -> bool:
        """Whether it has said so; `AssertionError` with its last words where it ended instead."""
        assert self.process.poll() is None, self.said[-5000:]
        return re.search(r'^ready: |"event":"ready"', self.said, re.M) is not None

    def until_ready(self) -> Command:
        """Itself, ready; ended, where it takes too long."""
        try:
            until(lambda: self.ready, f"it is ready:\n{self.said}", 90)
        except AssertionError:
            self.kill()
            raise
        return self

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *about: object) -> None:
        assert self.stop() == 0, self.said[-5000:]

    def children(self, text: str) -> list[int]:
        """The descendants whose command line has ``text``."""
        return [pid for pid in descendants(self.process.pid) if text in command_line(pid)]

    def stop(self, seconds: float = 90) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not stop in {seconds} s:\n{self.said[-5000:]}") from None

    def kill(self) -> None:
        """kill -9, its descendants included."""
        if self.process.poll() is not None:
            return
        for pid in [*descendants(self.process.pid), self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


class Service:
    """A running service: `turnout serve`, or `turnout control` and `turnout proxy` on one Redis."""

    def __init__(
        self,
        config: dict[str, Any],
        folder: Path,
        workers: int,
        options: Sequence[str],
        redis_url: str | None = None,
        *,
        apart: bool = False,
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port, self.control_port = free_port(), free_port()
        file = folder / "turnout.yaml"
        file.write_text(json.dumps(config))
        self.log = folder / "serve.log"
        redis = () if redis_url is None else ("--redis-url", redis_url)
        control = ("--config", str(file), "--control-port", str(self.control_port))
        proxy = ("--port", str(self.port), "--workers", str(workers), "--data-dir", str(self.data), *options)
        self.commands: list[Command] = []
        if apart:
            self.commands.append(
                Command(
                    folder / "control.log", "control", *control, *redis, "--data-dir", f"{self.data}-control"
                )
            )
            self.commands.append(Command(self.log, "proxy", *proxy, *redis, "--metrics-port", "0"))
        else:
            self.commands.append(Command(self.log, "serve", *control, *proxy, *redis))
        try:
            for command in self.commands:
                command.until_ready()
        except AssertionError:
            for command in self.commands:
                command.kill()
            raise

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The supervisor of the workers."""
        return self.commands[-1].process

    def connect(self, timeout: float = 15) -> Connection:
        """A new client connection to the data port."""
        return Connection(self.port, timeout)

    def request(self, method: str, target: str, *headers: str, body: bytes = b"") -> Response:
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.request(method, target, *headers, body=body)

    def control(self, path: str) -> Any:
        """A document of the control port."""
        url = f"http://127.0.0.1:{self.control_port}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)

    @property
    def key(self) -> bytes:
        """The signing key, from the state on disk."""
        return decode_state((self.data / "state.json").read_bytes()).key

    def workers(self) -> list[int]:
        """The processes that serve the data port."""
        return self.children("router.data")

    def children(self, text: str) -> list[int]:
        """The descendants whose command line has ``text``."""
        return [pid for command in self.commands for pid in command.children(text)]

    def family(self) -> list[int]:
        """All processes below the commands."""
        return self.children("")

    def stop(self, seconds: float = 90) -> int:
        """SIGTERM, to the proxy before the control plane, and the first exit code that is not 0, or 0."""
        return max((command.stop(seconds) for command in reversed(self.commands)), key=abs)


@contextlib.contextmanager
def serving(
    config: dict[str, Any],
    folder: Path,
    workers: int = 1,
    *options: str,
    shape: Shape = "serve",
    redis_url: str | None = None,
) -> Iterator[Service]:
    """The service, ready; stopped with the block, and nothing of it may be left.

    ``options`` are of `turnout serve`, or of `turnout proxy` where the planes are apart; those have a Redis
    for as long as the block lasts where no ``redis_url`` is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        if shape == "apart" and redis_url is None:
            server = EmbeddedRedis(folder / "redis")
            held.callback(server.stop)
            server.start()
            redis_url = server.url
        service = Service(config, folder, workers, options, redis_url, apart=shape == "apart")
        family = service.family()
        try:
            yield service
        finally:
            family += service.family()
            service.stop()
            until(lambda: not any(map(is_running, family)), "every process of the service has ended")


def descendants(pid: int) -> list[int]:
    """All processes below one, as they are now."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found[1:]


def command_line(pid: int) -> str:
    """The command of a process, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def resident_bytes(pid: int) -> int:
    """Resident memory of a process that is its own."""
    _, resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[:3]
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
