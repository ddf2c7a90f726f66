"""The image: exact bases, no compiler and no root in what runs, no more context than it needs."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch

import pytest

from tests.deploy.files import DEPLOY, ROOT, exact

TEXT = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
LINES = [line.split() for line in TEXT.splitlines() if line.strip() and not line.startswith("#")]


def stages() -> dict[str, list[list[str]]]:
    """Each stage's instructions, its FROM included, in the file's order."""
    found: dict[str, list[list[str]]] = {}
    for line in LINES:
        if line[0] == "FROM":
            found[line[3]] = []
        found[list(found)[-1]].append(line)
    return found


def lineage(stage: str) -> list[str]:
    """A stage and those that it is built on, itself first."""
    base = stages()[stage][0][1]
    return [stage, *(lineage(base) if base in stages() else [])]


def inherited(stage: str, instruction: str) -> list[str]:
    """The words of the last such instruction that holds for a stage."""
    return next(
        line for each in lineage(stage) for line in reversed(stages()[each]) if line[0] == instruction
    )


def test_without_a_target_the_router_is_built() -> None:
    assert list(stages())[-1] == "turnout"


def test_every_base_is_an_exact_version_and_the_same_python() -> None:
    bases = [line[1] for line in LINES if line[0] == "FROM" and line[1] not in stages()]
    assert bases
    assert all(exact(base) and base.startswith("python:3.11.") for base in bases)
    assert len({base.rpartition(":")[2].split("-")[0] for base in bases}) == 1
    minimum = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert minimum == ">=3.11"


@pytest.mark.parametrize("stage", ["turnout", "demo"])
def test_what_runs_is_slim_and_not_root(stage: str) -> None:
    assert "slim" in stages()[lineage(stage)[-1]][0][1]
    assert inherited(stage, "USER")[1] == "10001:10001"
    assert inherited(stage, "VOLUME")[1] == '["/var/lib/turnout"]'
    words = {word for each in lineage(stage) for line in stages()[each] if line[0] == "RUN" for word in line}
    assert not words & {"apt-get", "pip", "curl", "gcc"}


@pytest.mark.parametrize("stage", ["turnout", "demo"])
def test_its_health_is_asked_by_what_is_in_it(stage: str) -> None:
    check = inherited(stage, "HEALTHCHECK")
    assert check[check.index("CMD") + 1 :] == ['["python",', '"/opt/turnout/healthcheck.py"]']


def test_the_context_holds_what_is_copied_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    allowed = [line[1:] for line in lines if line.startswith("!")]
    copied = [word for line in LINES if line[0] == "COPY" and "--from" not in line[1] for word in line[1:-1]]
    assert copied
    assert [name for name in copied if not any(fnmatch(name, f"{each}*") for each in allowed)] == []
    assert [each for each in allowed if not any(name.startswith(each) for name in copied)] == []
    assert all((ROOT / name).exists() for name in copied)
