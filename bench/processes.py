"""How are processes started, pinned, waited for and measured? Linux only: the figures are the kernel's."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.load import Order, Result


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, user and kernel, threads that ended included, to the nanosecond.

    It is the clock that `clock_getcpuclockid` names (its number is given by the kernel's ABI), which is
    /proc/PID/stat's utime + stime without their rounding to ticks.
    """
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def kernel_seconds(pid: int) -> float:
    """The part of a process's CPU time that is the kernel's, to the tick (10 ms): system calls, TCP."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[12]) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """The process and all that descend from it, as they are now."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found.extend(int(child) for child in (task / "children").read_text().split())
    return found


def command_line(pid: int) -> str:
    """The command of a process, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM and its own: resident less shared file pages."""
    size, resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[:3]
    del size
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def pin(pid: int, core: int) -> None:
    """All threads of a process onto one core."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), {core})


@contextlib.contextmanager
def running(
    command: Sequence[str], core: int, log: Path, stdin: int = subprocess.DEVNULL, stdout: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process that starts on one core, and ends with the block; its stderr goes to ``log``."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=errors if stdout is None else stdout,
            stderr=errors,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def wait_until_listening(port: int, process: subprocess.Popen[str], log: Path, seconds: float = 30) -> None:
    """Until somebody accepts on the port; says what the process wrote when it ended or never did."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"{process.args!r} does not listen:\n{log.read_text()[-4000:]}")


class LoadGenerator:
    """The load generator's process: one order at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, order: Order, seconds: float = 600) -> Result:
        """Carry out one order; its result."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(order).decode() + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            raise SystemExit(f"no answer to {order} within {seconds} s")
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the load generator ended")
        return msgspec.json.decode(line, type=Result)
