"""The workflows: every action is a commit with its version beside it, and rights are least."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.files import OVERLAYS, ROOT

FILES = sorted((ROOT / ".github").glob("**/*.yml"))
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$")


def workflow(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())
    return document


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_actions_are_pinned_by_commit(file: Path) -> None:
    uses = [line.strip().removeprefix("- ") for line in file.read_text().splitlines() if "uses:" in line]
    assert [line for line in uses if not line.startswith("uses: ./") and not PINNED.match(line)] == []


def test_one_action_has_one_version() -> None:
    found = {match for file in FILES for match in re.findall(r"uses: (\S+@[0-9a-f]{40})", file.read_text())}
    assert len({each.partition("@")[0] for each in found}) == len(found) > 0


@pytest.mark.parametrize("name", ["ci.yml", "delivery.yml"])
def test_rights_are_stated_and_to_write_only_packages(name: str) -> None:
    document = workflow(name)
    assert document["permissions"] in ({}, {"contents": "read"})
    for job in document["jobs"].values():
        writes = [what for what, how in job.get("permissions", {}).items() if how != "read"]
        assert writes in ([], ["packages"])


def test_each_environment_waits_for_the_one_before() -> None:
    jobs = workflow("delivery.yml")["jobs"]
    needs = {name: job.get("needs") for name, job in jobs.items()}
    assert needs == {
        "test": None,
        "image": "test",
        "dev": "image",
        "staging": "dev",
        "production": "staging",
    }
    for name in OVERLAYS:
        assert jobs[name]["environment"] == name
        (step,) = (each for each in jobs[name]["steps"] if each["uses"].startswith("./"))
        assert step["with"]["environment"] == name


def test_every_push_is_tested_once() -> None:
    pushes = {}
    for name in ("ci.yml", "delivery.yml"):
        # YAML 1.1 reads the key "on" as true.
        triggers = next(value for key, value in workflow(name).items() if str(key) == "True")
        pushes[name] = triggers["push"]
    assert pushes == {"ci.yml": {"branches-ignore": ["main"]}, "delivery.yml": {"branches": ["main"]}}
    assert workflow("delivery.yml")["jobs"]["test"]["uses"] == "./.github/workflows/ci.yml"
