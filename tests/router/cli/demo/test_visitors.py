"""The demo's users against a router that runs already: real models, a real router, the real command."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from socket import create_server

import pytest

from router.cli.demo.split.configuration import write_configuration
from tests.router.cli.serving import Served, serving

USERS = [sys.executable, "-m", "router.cli", "demo", "users"]


@contextmanager
def model(strength: str) -> Iterator[str]:
    """A model server's URL."""
    command = [sys.executable, "-m", "models.demo", "--model", strength]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("visited")
    file = home / "turnout.yaml"
    with ExitStack() as held:
        file.write_text(
            write_configuration(*(held.enter_context(model(name)) for name in ("weak", "strong")))
        )
        yield held.enter_context(serving(file, home / "data"))


def test_for_a_time_every_request_and_outcome_is_answered(router: Served) -> None:
    command = [*USERS, "--url", router.data, "--seconds", "2", "--rate", "40"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    words = done.stdout.splitlines()[-1].split()
    assert int(words[0]) == int(words[2]) > 20
    assert words[-2:] == ["0", "failed"]


def test_without_a_time_until_a_signal(router: Served) -> None:
    command = [*USERS, "--url", router.data, "--rate", "40", "--every", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = iter(process.stdout)
        while int(next(said).split()[2]) < 10:
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 128 + signal.SIGTERM


def test_a_router_that_is_away_is_said_and_is_a_failure() -> None:
    with closing(create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    command = [*USERS, "--url", f"http://127.0.0.1:{port}", "--seconds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "ConnectError" in done.stdout
