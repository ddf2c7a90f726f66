"""Does the command help, refuse what it does not know, and answer at once?"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from router.cli import app as commands
from router.cli import operator_commands, reading_commands, service_commands, token_commands
from router.options import ControlOptions, NodeOptions, ProxyOptions
from router.store.address import FORMS

from .conftest import Turnout

RUNNING = ["serve", "proxy", "control"]
OWN = ["check", "assign"]
READING = ["get", "history", "diff", "workers", "report"]
OPERATING = [
    *("apply", "validate", "weights", "start", "pause", "stop", "archive", "rollback", "restore"),
]
GROUPS = ["token", "context"]
COMMANDS = [*RUNNING, *OWN, "demo", *READING, *OPERATING]


def test_help_names_every_command(turnout: Turnout) -> None:
    ran = turnout("--help")
    assert ran.status == 0
    assert all(f" {command} " in ran.out for command in [*COMMANDS, *GROUPS])
    assert "--install-completion" in ran.out


@pytest.mark.parametrize("command", RUNNING)
def test_help_names_every_form_of_redis_url(turnout: Turnout, command: str) -> None:
    said = turnout(command, "--help", environment={"COLUMNS": "80"}).out
    for scheme in FORMS:
        assert re.search(rf"{re.escape(scheme.replace('rediss+', 'redis+'))}:///?[^ …]* ", said), scheme


def test_no_argument_at_all_is_helped(turnout: Turnout) -> None:
    assert "Usage: turnout" in "".join([turnout().out, turnout().error])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(turnout: Turnout, command: str) -> None:
    ran = turnout(command, "--help")
    assert ran.status == 0
    assert f"Example: turnout {command}" in ran.out


def test_a_misspelt_command_or_option_is_refused_with_the_nearest(turnout: Turnout, config: Path) -> None:
    ran = turnout("chekc", str(config))
    assert (ran.status, ran.out) == (2, "")
    assert "Did you mean 'check'?" in ran.error
    ran = turnout("serve", "--worker", "2")
    assert ran.status == 2
    assert "--workers" in ran.error


@pytest.mark.parametrize(
    "command",
    ["token create", "token list", "token revoke", "context list", "context use"],
)
def test_every_command_of_a_group_has_help_with_an_example(turnout: Turnout, command: str) -> None:
    ran = turnout(*command.split(), "--help")
    assert ran.status == 0
    assert f"Example: turnout {command}" in ran.out


@pytest.mark.parametrize(
    "command",
    [
        *(getattr(token_commands, name) for name in ("create", "list_all", "revoke")),
        *(getattr(reading_commands, name) for name in READING),
        *(getattr(operator_commands, name) for name in OPERATING),
    ],
    ids=lambda command: command.__name__,
)
def test_every_command_for_a_running_router_says_which_and_how_it_prints(command: Any) -> None:
    hints = get_type_hints(command, include_extras=True)
    found = {name: hints[name].__metadata__[0].envvar for name in ("url", "context", "output")}
    assert found == {"url": "TURNOUT_URL", "context": "TURNOUT_CONTEXT", "output": "TURNOUT_OUTPUT"}


@pytest.mark.parametrize(
    "command",
    [
        *(getattr(commands, name) for name in OWN),
        *(getattr(service_commands, name) for name in RUNNING),
    ],
    ids=lambda command: command.__name__,
)
def test_every_option_can_be_given_by_the_environment(command: Any) -> None:
    hints = get_type_hints(command, include_extras=True)
    parameters = inspect.signature(command).parameters
    for name in parameters:
        (parameter,) = hints[name].__metadata__
        if "Argument" not in type(parameter).__name__:
            assert re.fullmatch(r"TURNOUT_[A-Z_]+", parameter.envvar)


def test_the_commands_that_run_it_take_everything_that_the_supervisor_does() -> None:
    node = {field.name for field in fields(NodeOptions)} - {"proxy", "control"}
    renamed = {"host": "control_host", "port": "control_port", "config_path": "config"}
    proxy = node | {field.name for field in fields(ProxyOptions)}
    control = node | {renamed.get(field.name, field.name) for field in fields(ControlOptions)}
    assert set(inspect.signature(service_commands.proxy).parameters) == proxy
    assert set(inspect.signature(service_commands.control).parameters) == control
    assert set(inspect.signature(service_commands.serve).parameters) == proxy | control


def test_the_version_is_the_installed_ones(turnout: Turnout, tmp_path: Path) -> None:
    info = tmp_path / "turnout-98.7.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: turnout\nVersion: 98.7\n")
    path = f"{tmp_path}:{Path(__file__).parents[3]}"
    ran = turnout("--version", environment={"PYTHONPATH": path})
    assert (ran.status, ran.out) == (0, "turnout 98.7\n")


def test_help_imports_nothing_that_is_slow() -> None:
    code = (
        "import sys\n"
        "import router.cli.app\n"
        "slow = {'numpy', 'scipy', 'sklearn', 'redis', 'httpx', 'uvicorn', 'starlette', 'yaml'}\n"
        "print(sorted(slow & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
