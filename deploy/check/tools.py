"""Which tool checks which of the files, and which package brings it?"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OVERLAYS = ("dev", "staging", "production")


class ToolMissing(Exception):
    """A tool is not there; the text says which package brings it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One command, as it is run in the repository's root."""

    what: str
    command: tuple[str, ...]
    package: str


PYTHON = "pip install '.[deploy]'"
PROMETHEUS = "apt-get install prometheus"


def checks() -> list[Check]:
    """Every command there is for the files that there are now, in the order in which they are run."""
    found = [
        Check("image", ("hadolint", "deploy/Dockerfile"), PYTHON),
        Check(
            "services of one machine",
            ("docker-compose", "-f", "deploy/compose.yaml", *_profiles("demo", "monitoring"), "config", "-q"),
            PYTHON,
        ),
        Check("workflows", ("actionlint", "-shellcheck", executable("shellcheck", PYTHON)), PYTHON),
        Check(
            "workflows' security",
            (
                "zizmor",
                "--offline",
                "--no-progress",
                "--config=deploy/check/zizmor.yml",
                "--persona=pedantic",
                ".github",
            ),
            PYTHON,
        ),
        Check("scripts", ("shellcheck", ".ci/run", "deploy/roll_out.sh"), PYTHON),
        Check(
            "YAML", ("yamllint", "--strict", "-c", "deploy/check/yamllint.yaml", "deploy", ".github"), PYTHON
        ),
        Check(
            "rules as an object", (sys.executable, "deploy/kubernetes/prometheus_rule.py", "--check"), PYTHON
        ),
    ]
    return found + _prometheus(ROOT / "deploy" / "prometheus")


def _prometheus(folder: Path) -> list[Check]:
    """What promtool says of the configuration with the rules it names, of the rules, and of their tests."""
    found = []
    for what, files, command in (
        ("Prometheus' configuration", [folder / "prometheus.yml"], ("check", "config")),
        ("rules", sorted(folder.glob("rules/*.yml")), ("check", "rules")),
        ("rules' tests", sorted(folder.glob("tests/*.yml")), ("test", "rules")),
    ):
        named = [str(file.relative_to(ROOT)) for file in files if file.exists()]
        if named:
            found.append(Check(what, ("promtool", *command, *named), PROMETHEUS))
    return found


def executable(name: str, package: str) -> str:
    """Its path: beside this Python, else in PATH; `ToolMissing` where it is in neither."""
    path = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if path is None:
        raise ToolMissing(f"{name} is not there: {package}")
    return path


def _profiles(*names: str) -> tuple[str, ...]:
    return tuple(word for name in names for word in ("--profile", name))
