"""Do versions tell what happened, and does an earlier one come back?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .conftest import Turnout, hesitating
from .serving import Served


def newest(operated: Turnout) -> Any:
    return json.loads(operated("history", "--limit", "1", "-o", "json").out)["versions"][0]


def test_the_history_tells_who_why_and_what(operated: Turnout) -> None:
    operated("weights", "ranker", "champion=60", "challenger=40", "paused=0", "--why", "[bold] day two")
    ran = operated("history", "--limit", "1")
    assert ran.status == 0
    head, *changes = ran.out.splitlines()
    assert head.startswith(f"version {newest(operated)['version']} (in force), 20")
    assert head.endswith(" UTC, by (local): [bold] day two")
    assert changes == [
        "  ~ experiment ranker: weight of champion 80 -> 60",
        "  ~ experiment ranker: weight of challenger 20 -> 40",
        "    a new epoch of ranker",
    ]


def test_the_difference_between_two_versions(operated: Turnout) -> None:
    before = newest(operated)["version"]
    operated("weights", "ranker", "champion=60", "challenger=40", "paused=0")
    operated("pause", "ranker")
    expected = [
        "  ~ experiment ranker: weight of champion 80 -> 60 (share 80.00% -> 60.00%)",
        "  ~ experiment ranker: weight of challenger 20 -> 40 (share 20.00% -> 40.00%)",
        "  ~ experiment ranker: running: true -> false",
    ]
    for last in ([], [str(before + 2)]):
        out = operated("diff", str(before), *last).out.splitlines()
        assert out == [f"from version {before} to version {before + 2}:", *expected]
    same = operated("diff", str(before), str(before))
    assert same.out == f"versions {before} and {before} have the same configuration\n"


def test_a_version_comes_back_as_a_new_one(operated: Turnout) -> None:
    good = newest(operated)["version"]
    operated("stop", "ranker", "--winner", "challenger")
    dry = operated("rollback", str(good), "--dry-run")
    assert dry.status == 3
    assert "  ~ experiment ranker: running: false -> true\n" in dry.out
    assert "  ~ route 1: backend: two -> one\n" in dry.out
    assert "  - ending of ranker\n" in dry.out
    assert "experiment ranker: 80.00% of its units would move (experiment was started)" in dry.out
    no = operated("rollback", str(good), typed="no\n")
    assert (no.status, newest(operated)["version"]) == (1, good + 1)
    ran = operated("rollback", str(good), "--why", "it was a mistake", typed="y\n")
    assert ran.status == 0
    assert ran.out.endswith(f"rolled back to version {good}: version {good + 2}\n")
    assert newest(operated)["why"] == "it was a mistake"
    again = operated("rollback", str(good))
    assert (again.status, again.out) == (
        0,
        f"nothing to change: version {good + 2} is as version {good} was\n",
    )


def test_a_version_does_not_come_back_over_what_the_operator_has_not_seen(
    operated: Turnout, shared_router: Served, tmp_path: Path
) -> None:
    good = newest(operated)["version"]
    operated("pause", "ranker")
    with hesitating(tmp_path, shared_router.control, "rollback", str(good)) as first:
        operated("weights", "ranker", "champion=60", "challenger=40", "paused=0")
        ran = first.agree()
    assert ran.status == 4
    assert "rolled back" not in ran.out
    assert "~ experiment ranker: weight of champion 80 -> 60" in ran.error
    assert newest(operated)["version"] == good + 2


def test_there_is_nothing_to_restore_while_redis_has_its_state(operated: Turnout) -> None:
    ran = operated("restore", "--yes")
    assert (ran.status, ran.out) == (2, "")
    assert "there is nothing to restore; to undo a change: turnout rollback VERSION" in ran.error
