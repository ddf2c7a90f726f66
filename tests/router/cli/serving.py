"""A real router, as ``turnout serve`` starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Served:
    """The addresses of both ports, and where the state is."""

    data: str
    control: str
    data_dir: Path


@contextmanager
def serving(config: Path, data_dir: Path, *options: str) -> Iterator[Served]:
    """A router until the end of the block."""
    command = [sys.executable, "-m", "router.cli", "serve", "--config", str(config), "--port", "0"]
    command += ["--control-port", "0", "--workers", "1", "--data-dir", str(data_dir), *options]
    given = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
    given |= {"PYTHONPATH": str(ROOT)}
    log = data_dir.with_suffix(".log")
    with log.open("w") as errors, subprocess.Popen(command, env=given, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                errors.write(line.decode())
                if line.startswith(b"ready: "):
                    break
            else:
                raise RuntimeError(f"the router did not start; its words are in {log}")
            words = line.decode().split()
            yield Served(data=words[2], control=words[4], data_dir=data_dir)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
