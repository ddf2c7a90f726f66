"""Do ``turnout serve``, ``proxy`` and ``control`` refuse what cannot work before they start anything?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from .conftest import ROOT, Turnout


def test_it_says_when_it_is_ready_and_ends_when_it_is_told(config: Path, tmp_path: Path) -> None:
    options = ["--port", "0", "--control-port", "0", "--workers", "1", "--data-dir", str(tmp_path / "data")]
    command = [sys.executable, "-m", "router.cli", "serve", "--config", str(config), *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            words = next(line for line in process.stderr if line.startswith("ready: ")).split()
            health = httpx.get(f"{words[2]}/_turnout/health", trust_env=False)
            assert health.json() == {"status": "ok", "version": 1}
            assert httpx.get(f"{words[4]}/health", trust_env=False).status_code == 200
            assert words[5:] == ["workers", "1"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_configuration_that_cannot_be_used(turnout: Turnout, config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace("control: champion", "control: champ"))
    ran = turnout("serve", "--config", str(config), "--data-dir", str(tmp_path / "data"))
    assert (ran.status, ran.out) == (2, "")
    assert ran.error == (
        f"turnout: {config}:13: experiments.ranker.control: 'champ' is no known variant of this experiment; "
        "allowed: champion, challenger, paused; did you mean 'champion'?\n"
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--key", "short"], "--key has 5 bytes; allowed: 16 to 32"),
        (["--key", "é" * 17], "--key has 34 bytes; allowed: 16 to 32"),
        (["--port", "8080", "--control-port", "8080"], "--port and --control-port are both 8080"),
        (["--port", "8080", "--metrics-port", "8080"], "--port and --metrics-port are both 8080"),
        (["--drain-delay", "-1"], "--drain-delay"),
        (["--workers", "0"], "--workers"),
        (["--port", "70000"], "--port"),
        (["--port", "http"], "--port"),
    ],
)
def test_options_that_cannot_work(turnout: Turnout, config: Path, options: list[str], said: str) -> None:
    ran = turnout("serve", "--config", str(config), *options)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.error
    assert "Traceback" not in ran.error


def test_the_environment_gives_options_too(turnout: Turnout, config: Path) -> None:
    environment = {"TURNOUT_CONFIG": str(config), "TURNOUT_KEY": "short", "TURNOUT_PORT": "0"}
    ran = turnout("serve", environment=environment)
    assert ran.status == 2
    assert "--key has 5 bytes" in ran.error


def test_without_a_configuration_it_says_which_option_is_missing(turnout: Turnout) -> None:
    ran = turnout("serve")
    assert ran.status == 2
    assert "--config" in ran.error


@pytest.mark.parametrize("command", ["proxy", "control"])
def test_a_plane_alone_needs_a_redis_that_others_share(turnout: Turnout, command: str) -> None:
    ran = turnout(command)
    assert (ran.status, ran.out) == (2, "")
    assert "--redis-url" in ran.error


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        ("proxy", ["--port", "8082"], "--port and --metrics-port are both 8082"),
        ("control", ["--key", "k" * 16], "--key comes into force with a configuration; give --config, too"),
        ("control", ["--config", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_options_of_a_plane_alone_that_cannot_work(
    turnout: Turnout, command: str, options: list[str], said: str
) -> None:
    ran = turnout(command, *options, environment={"TURNOUT_REDIS": "redis://127.0.0.1:1/0"})
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.error
    assert "Traceback" not in ran.error


@pytest.mark.parametrize("command", ["serve", "proxy", "control"])
def test_a_redis_url_of_another_scheme_is_refused(turnout: Turnout, config: Path, command: str) -> None:
    given = [] if command == "proxy" else ["--config", str(config)]
    ran = turnout(command, "--redis-url", "http://127.0.0.1:1", *given)
    assert (ran.status, ran.out) == (2, "")
    assert "redis://" in ran.error
    assert "Traceback" not in ran.error
