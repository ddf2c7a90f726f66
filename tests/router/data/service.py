"""How does a test run the whole service: supervisor, control plane, workers and Redis, as a user would?"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from router.state import decode_state
from tests.router.data.client import Connection, Response


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    """Ask until the answer is true, and give it; `AssertionError` after a while."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.01)
    return answer


class Service:
    """A running `turnout serve`."""

    def __init__(self, config: dict[str, Any], folder: Path, workers: int = 1, *options: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port, self.control_port = free_port(), free_port()
        file = folder / "turnout.yaml"
        file.write_text(json.dumps(config))
        self.log = folder / "serve.log"
        command = [sys.executable, "-m", "router.cli", "serve", "--config", str(file)]
        command += ["--port", str(self.port), "--control-port", str(self.control_port)]
        command += ["--workers", str(workers), "--data-dir", str(self.data), *options]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self._is_ready, "the service is ready", 30)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-5000:]
        return re.search(r"^ready: data|\"event\":\"ready\"", self.log.read_text(), re.M) is not None

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
        return [pid for pid in descendants(self.process.pid) if text in command_line(pid)]

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            for pid in [*descendants(self.process.pid), self.process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            raise AssertionError(f"did not stop in {seconds} s:\n{self.log.read_text()[-5000:]}") from None


@contextlib.contextmanager
def serving(config: dict[str, Any], folder: Path, workers: int = 1, *options: str) -> Iterator[Service]:
    """The service, ready; stopped with the block, and nothing of it may be left."""
    folder.mkdir(parents=True, exist_ok=True)
    service = Service(config, folder, workers, *options)
    family = descendants(service.process.pid)
    try:
        yield service
    finally:
        family += descendants(service.process.pid)
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
