"""How does one go on after the demo? With lines for a shell that work as they are printed."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

from models.protocol import Call
from router.cli.demo.configuration import EXPERIMENT, METRIC, UNIT_HEADER
from router.cli.demo.scenario import Scenario
from router.cli.demo.simulation import Addresses
from router.cli.demo.users import OUTCOMES, TOKEN, Question

# Silent but for errors, and with an end of line, which the bodies do not have.
_CURL = "curl -sS -w '\\n'"
_JSON = "-H 'content-type: application/json'"


def print_going_on(
    console: Console, scenario: Scenario[Any], addresses: Addresses, question: Question, serving: bool
) -> None:
    """Print the lines; ``serving`` says that the demo goes on, so that it need not be started again."""
    lines = curl_lines(addresses, question)
    lines += [(what, f"{_CURL} {addresses.control}{path}") for what, path in scenario.also]
    if not serving:
        lines = [*start_lines(scenario, addresses), *lines, ("stop it", "kill $!")]
    console.print("\nHow to go on:")
    for what, line in lines:
        console.print(f"# {what}", style="dim", markup=False, highlight=False, soft_wrap=True)
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if serving:
        console.print("\nServing until Ctrl-C.")


def start_lines(scenario: Scenario[Any], addresses: Addresses) -> list[tuple[str, str]]:
    """The lines that start the same set-up again and keep it, in the background."""
    command = own_command(Path(sys.executable), shutil.which("turnout"), Path.cwd())
    ports = f"--port {urlsplit(addresses.data).port} --control-port {urlsplit(addresses.control).port}"
    wait = "--retry 60 --retry-delay 1 --retry-connrefused"
    again = f"{command} {scenario.command} --hold --seconds {scenario.again_seconds} {ports}"
    return [
        ("start the same again, and keep it", f"{again} > /dev/null &"),
        ("wait until it serves", f"{_CURL} {wait} {addresses.data}/_turnout/health"),
    ]


def curl_lines(addresses: Addresses, question: Question) -> list[tuple[str, str]]:
    """What one may do, and the line that does it, in an order in which each works."""
    data, control = addresses.data, addresses.control
    keep = f"sed -n 's/^{TOKEN}: //p' | tr -d '\\r'"
    outcome = f'\'{{"token": "\'$token\'", "metric": "{METRIC}", "value": 1}}\''
    return [
        ("ask a model, as the user ada", _ask(data, question.call, "-i")),
        (
            "ask again, and keep the answer's token",
            f"token=$({_ask(data, question.call, '-o /dev/null -D -')} | {keep})",
        ),
        (
            f"say that the answer was right (the image shows the digit {question.label})",
            f"{_CURL} {data}{OUTCOMES} {_JSON} -d {outcome}",
        ),
        ("read the report", f"{_CURL} {control}/api/v1/experiments/{EXPERIMENT}/report"),
    ]


def own_command(executable: Path, found: str | None, here: Path) -> str:
    """The words that start this command again: ``turnout`` where the shell would find this very one.

    ``executable`` is the running Python, ``found`` what the shell finds as ``turnout``, ``here`` its folder.
    """
    script = executable.parent / "turnout"
    if found is not None and Path(found).absolute() == script.absolute():
        return "turnout"
    if script.exists():
        return shlex.quote(_near(script, here))
    return shlex.join([_near(executable, here), "-m", "router.cli"])


def _ask(data: str, call: Call, options: str) -> str:
    body = call.body.decode()
    return f"{_CURL} {options} {data}{call.path} {_JSON} -H '{UNIT_HEADER}: ada' -d '{body}'"


def _near(path: Path, here: Path) -> str:
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
