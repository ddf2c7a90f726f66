"""The real command, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from .serving import ROOT, Served, serving

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


def clean_environment(home: Path) -> dict[str, str]:
    """Nothing that another shell configured."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("TURNOUT_", "XDG_"))}
    return given | {"PYTHONPATH": str(ROOT), "COLUMNS": "120", "NO_COLOR": "1", "HOME": str(home)}


@dataclass(frozen=True, slots=True)
class Hesitating:
    """A command that waits for its operator's yes."""

    process: subprocess.Popen[str]

    def agree(self) -> Ran:
        """Say yes."""
        out, error = self.process.communicate("y\n", timeout=60)
        return Ran(self.process.returncode, out, error)


@contextmanager
def hesitating(home: Path, url: str, *arguments: str) -> Iterator[Hesitating]:
    """A command whose question has been asked."""
    command = [sys.executable, "-m", "router.cli", *arguments]
    given = clean_environment(home) | {"TURNOUT_URL": url, "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=given, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        asked = ""
        while not asked.endswith("[y/N]: "):
            read = process.stderr.read(1)
            assert read, asked
            asked += read
        yield Hesitating(process)


@pytest.fixture
def turnout(tmp_path: Path) -> Turnout:
    def run(*arguments: str, environment: Mapping[str, str] | None = None, typed: str = "") -> Ran:
        given = clean_environment(tmp_path) | dict(environment or {})
        command = [sys.executable, "-m", "router.cli", *arguments]
        done = subprocess.run(
            command, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=60, input=typed
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "turnout.yaml"
    file.write_text(CONFIGURATION)
    return file


@pytest.fixture(scope="session")
def shared_router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One router for all tests that do not make tokens."""
    home = tmp_path_factory.mktemp("router")
    file = home / "turnout.yaml"
    file.write_text(CONFIGURATION)
    with serving(file, home / "data") as served:
        yield served


@pytest.fixture
def operated(shared_router: Served, turnout: Turnout) -> Turnout:
    """The command, for a router that has `CONFIGURATION` and nothing else."""
    configuration = yaml.safe_load(CONFIGURATION)
    configuration["experiments"]["ranker"]["running"] = True
    reset = httpx.put(
        f"{shared_router.control}/api/v1/configuration",
        params={"prune": "true", "source": "turnout.yaml"},
        json=configuration,
        headers={"if-match": "*"},
        trust_env=False,
    )
    assert reset.status_code == 200

    def run(*arguments: str, environment: Mapping[str, str] | None = None, typed: str = "") -> Ran:
        given = {"TURNOUT_URL": shared_router.control, "COLUMNS": "200"} | dict(environment or {})
        return turnout(*arguments, environment=given, typed=typed)

    return run
