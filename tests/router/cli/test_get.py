"""Do the commands that look show what the router has, for people and for programs alike?"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Turnout

RESOURCES = ["experiments", "backends", "routes", "versions", "workers", "audit", "configuration"]


@pytest.mark.parametrize("resource", RESOURCES)
def test_json_and_yaml_say_the_same(operated: Turnout, resource: str) -> None:
    said: list[Any] = [
        read(operated("get", resource, "-o", name).out)
        for name, read in (("json", json.loads), ("yaml", yaml.safe_load))
    ]
    if resource == "workers":  # how far behind one is, is another moment's
        said = [[(each["pid"], each["started"]) for each in one["workers"]] for one in said]
    assert said[0] == said[1]
    assert said[0]


def test_tables(operated: Turnout) -> None:
    out = operated().error + operated("get").out
    assert "champion 80 (80.00%), challenger 20 (20.00%), paused 0 (0.00%)" in out
    assert "/v1/models/ranker" in operated("get", "routes").out
    assert "http://127.0.0.1:9002" in operated("get", "backends").out
    assert "url: http://127.0.0.1:9002\n" in operated("get", "backends", "two").out
    assert operated("get", "experiments", "ranker").out.startswith("ranker: running, version ")
    assert operated("get", "versions", "1").out.startswith("version 1, 20")


def test_what_a_policy_made_of_the_weights(operated: Turnout, config: Path) -> None:
    policy = "    policy: {kind: split, ramp: [{weight: 2, for: 1h}]}\n"
    config.write_text(
        config.read_text().replace("    control: champion\n", "    control: champion\n" + policy)
    )
    assert operated("apply", str(config), "--yes").status == 0
    out = operated("get", "experiments").out
    assert "champion 80 (80.00%, now 98.00%), challenger 20 (20.00%, now 2.00%), paused 0 (0.00%)" in out


def test_every_worker_is_listed_with_its_version(operated: Turnout) -> None:
    said = json.loads(operated("workers", "-o", "json").out)
    (worker,) = said["workers"]
    os.kill(worker["pid"], 0)
    assert 1 <= worker["version"] <= said["version"]
    assert str(worker["pid"]) in operated("workers").out


def test_changes_and_refusals_are_in_the_audit_log(operated: Turnout) -> None:
    operated("pause", "ranker", "--why", "lunch")
    operated("archive", "nothing")
    operated("weights", "ranker", "champion=1")
    said = json.loads(operated("get", "audit", "--limit", "2", "-o", "json").out)
    entries = [each["entry"] for each in said["entries"]]
    assert [(each["action"], each["status"]) for each in entries] == [
        ("patch_experiment", 422),
        ("pause_experiment", 200),
    ]
    assert entries[1]["why"] == "lunch"
    table = operated("get", "audit", "--limit", "2").out
    assert "POST /api/v1/experiments/ranker/pause" in table
    assert "lunch" in table


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["get", "backends", "thre"], "there is no backend 'thre'; there are: one, two"),
        (["get", "routes", "/v1/models/rankr"], "did you mean '/v1/models/ranker'?"),
        (["get", "versions", "first"], "'first' is no version; allowed: a number"),
        (["get", "versions", "99999"], "there is no version 99999"),
        (["get", "workers", "one"], "workers takes no name, and 'one' is given"),
        (["get", "experiment"], "experiments"),
        (["get", "experiments", "-o", "xml"], "yaml"),
        (["get", "audit", "--limit", "0"], "--limit"),
        (["diff", "1", "99999"], "there is no version 99999"),
        (["rollback", "99999"], "there is no version 99999"),
    ],
)
def test_what_there_is_not(operated: Turnout, command: list[str], said: str) -> None:
    ran = operated(*command)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.error
