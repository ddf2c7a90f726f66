"""Does ``turnout serve`` refuse what cannot work before it starts anything?"""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Turnout


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
