"""The real command, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

CONFIGURATION = """\
backends:
  one: {url: http://127.0.0.1:9001}
  two: {url: http://127.0.0.1:9002}
routes:
  - {path: /v1/models/ranker, backend: one, experiment: ranker}
experiments:
  ranker:
    unit: [{header: x-user-id}]
    variants:
      champion: {backend: one, weight: 80}
      challenger: {backend: two, weight: 20}
      paused: {backend: two, weight: 0}
    control: champion
    metrics: [{name: correct, kind: binary}]
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    error: str


Turnout = Callable[..., Ran]


@pytest.fixture
def turnout(tmp_path: Path) -> Turnout:
    def run(*arguments: str, environment: Mapping[str, str] | None = None) -> Ran:
        given = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
        given |= {"PYTHONPATH": str(ROOT), "COLUMNS": "120", "NO_COLOR": "1"} | dict(environment or {})
        command = [sys.executable, "-m", "router.cli", *arguments]
        done = subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "turnout.yaml"
    file.write_text(CONFIGURATION)
    return file
