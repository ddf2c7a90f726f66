"""Does ``turnout apply`` show what a file changes, change that and nothing else, and say how it went?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from router.cli.apply import read
from router.cli.refusals import FieldError, Unprocessable

from .conftest import CONFIGURATION, Turnout, hesitating
from .serving import Served, serving

OTHER = """\
  reranker:
    unit: [{header: x-user-id}]
    variants: {a: {backend: one, weight: 1}, b: {backend: three, weight: 3}}
    control: a
    metrics: [{name: correct, kind: binary}]
"""
THREE = CONFIGURATION.replace("routes:\n", "  three: {url: http://127.0.0.1:9003}\nroutes:\n") + OTHER


def version(operated: Turnout) -> int:
    ran = operated("history", "--limit", "1", "-o", "json")
    assert ran.status == 0
    current: int = json.loads(ran.out)["current"]
    return current


def test_an_unchanged_file_changes_nothing_and_says_so(operated: Turnout, config: Path) -> None:
    before = version(operated)
    for options in ([], ["--yes"], ["--dry-run"], ["--prune"]):
        ran = operated("apply", str(config), *options)
        assert (ran.status, ran.error) == (0, "")
        assert ran.out.startswith(f"{config}: nothing to change, version {before} of http://127.0.0.1:")
    assert version(operated) == before


def test_the_difference_comes_first_and_then_the_question(operated: Turnout, config: Path) -> None:
    config.write_text(
        THREE.replace("weight: 80", "weight: 50")
        .replace("weight: 20", "weight: 50")
        .replace("{path: /v1/models/ranker, b", "{path: /v1/models/ranker, repeatable: true, b")
    )
    before = version(operated)
    ran = operated("apply", str(config), typed="n\n")
    assert ran.status == 1
    assert ran.error.endswith("turnout: nothing was changed\n")
    assert "Apply? [y/N]" in ran.error
    assert version(operated) == before
    assert [line.strip() for line in ran.out.splitlines()[1:]] == [
        "+ backend three: http://127.0.0.1:9003",
        "+ experiment reranker: a 1 (25.00%), b 3 (75.00%)",
        "~ experiment ranker: weight of champion 80 -> 50 (share 80.00% -> 50.00%)",
        "~ experiment ranker: weight of challenger 20 -> 50 (share 20.00% -> 50.00%)",
        "~ route 1: repeatable: false -> true",
        "experiment ranker: 30.00% of its units would move "
        "(weight of challenger 20 -> 50; weight of champion 80 -> 50)",
        "experiment reranker: 100.00% of its units would move (first epoch)",
        "warning: experiment ranker: paused has weight 0 and gets no request",
        "warning: experiment reranker: no route names it, so no request takes part",
        "2 added, 3 changed, 0 removed",
    ]
    ran = operated("apply", str(config), "--why", "day two", typed="y\n")
    assert ran.status == 0
    assert ran.out.endswith(f"applied: version {before + 1}\n")
    assert "day two" in operated("history", "--limit", "1").out
    assert "nothing to change" in operated("apply", str(config)).out


def test_what_was_changed_after_a_file_was_applied_survives_a_restart_with_it(
    turnout: Turnout, config: Path, tmp_path: Path
) -> None:
    def in_force(served: Served) -> list[float]:
        said = turnout(
            "get", "experiments", "ranker", "-o", "json", environment={"TURNOUT_URL": served.control}
        )
        return [each["weight"] for each in json.loads(said.out)["variants"]]

    with serving(config, tmp_path / "data") as served:
        config.write_text(CONFIGURATION.replace("weight: 80", "weight: 60"))
        where = {"TURNOUT_URL": served.control}
        assert turnout("apply", str(config), "--yes", environment=where).status == 0
        given = ("champion=7", "challenger=3", "paused=0")
        assert turnout("weights", "ranker", *given, environment=where).status == 0
        assert in_force(served) == [7, 3, 0]
    with serving(config, tmp_path / "data") as served:
        assert in_force(served) == [7, 3, 0]


def test_a_file_that_caught_up_with_what_is_in_force_has_nothing_to_change(
    operated: Turnout, config: Path
) -> None:
    assert operated("weights", "ranker", "champion=60", "challenger=20", "paused=0").status == 0
    config.write_text(CONFIGURATION.replace("weight: 80", "weight: 60"))
    before = version(operated)
    assert "nothing to change" in operated("apply", str(config), "--dry-run").out
    assert version(operated) == before
    # Nobody is asked; that the file says so is put on record, once.
    for _ in range(2):
        ran = operated("apply", str(config))
        assert (ran.status, ran.error) == (0, "")
        assert "nothing to change" in ran.out
        assert version(operated) == before + 1
    assert "turnout.yaml was applied" in operated("history", "--limit", "1").out


def test_nobody_answers(operated: Turnout, config: Path) -> None:
    config.write_text(THREE)
    ran = operated("apply", str(config))
    assert ran.status == 1
    assert "nobody answered, so nothing was changed; --yes answers beforehand" in ran.error


def test_a_dry_run_changes_nothing_and_its_status_says_whether_something_would(
    operated: Turnout, config: Path
) -> None:
    config.write_text(THREE)
    before = version(operated)
    ran = operated("apply", str(config), "--dry-run", "--output", "json")
    assert (ran.status, ran.error) == (3, "")
    said = json.loads(ran.out)
    assert (said["status"], said["version"]) == ("pending", before)
    assert [each["pointer"] for each in said["difference"]] == ["/backends/three", "/experiments/reranker"]
    assert version(operated) == before


def test_only_prune_removes_what_the_file_does_not_name(operated: Turnout, config: Path) -> None:
    file = config.with_name("three.yaml")
    file.write_text(THREE)
    assert operated("apply", str(file), "--yes").status == 0
    assert "nothing to change" in operated("apply", str(config)).out
    ran = operated("apply", str(config), "--prune", "--yes")
    assert ran.status == 0
    assert "  - backend three\n" in ran.out
    assert "  - experiment reranker\n" in ran.out
    assert "0 added, 0 changed, 2 removed" in ran.out
    assert "reranker" not in operated("get").out


def test_what_a_program_reads_says_what_was_applied(operated: Turnout, config: Path) -> None:
    config.write_text(THREE)
    before = version(operated)
    said = json.loads(operated("apply", str(config), "--yes", "-o", "json").out)
    assert (said["status"], said["version"]) == ("applied", before + 1)
    said = json.loads(operated("apply", str(config), "--yes", "-o", "json").out)
    assert (said["status"], said["version"], said["difference"]) == ("unchanged", before + 1, [])


def test_a_file_with_an_error_names_its_line_and_asks_no_router(turnout: Turnout, config: Path) -> None:
    config.write_text(CONFIGURATION.replace("weight: 80", "weight: -80").replace("binary", "binry"))
    nobody = {"TURNOUT_URL": "http://127.0.0.1:1"}
    for command in ("apply", "validate"):
        ran = turnout(command, str(config), environment=nobody)
        assert (ran.status, ran.out) == (2, "")
        places = [line.split(" ")[1] for line in ran.error.splitlines()]
        assert places == [f"{config}:10:", f"{config}:14:"]


def test_what_the_router_refuses_has_its_line_too(config: Path) -> None:
    wanted = read(config)
    errors = [
        FieldError("no such policy", "/experiments/ranker/policy"),
        FieldError("no such header", "/experiments/ranker/unit/0/header"),
        FieldError("not with that route", "/routes/0"),
        FieldError("not with what is there already"),
    ]
    assert str(wanted.locate(Unprocessable("no", tuple(errors)))).splitlines() == [
        f"{config}:7: no such policy",
        f"{config}:8: no such header",
        f"{config}:5: not with that route",
        f"{config}: not with what is there already",
    ]


def test_the_configuration_that_one_gets_can_be_applied(operated: Turnout, config: Path) -> None:
    for options in (["-o", "yaml"], ["-o", "json"], []):
        config.write_text(operated("get", "configuration", *options).out)
        ran = operated("apply", str(config), "--prune")
        assert (ran.status, ran.error) == (0, "")
        assert "nothing to change" in ran.out


@pytest.mark.parametrize("options", [[], ["-o", "json"]])
def test_two_operators_at_once(
    operated: Turnout, shared_router: Served, config: Path, tmp_path: Path, options: list[str]
) -> None:
    """The first one looks at the difference while the second one changes the weights."""
    config.write_text(CONFIGURATION.replace("weight: 20", "weight: 30"))
    with hesitating(tmp_path, shared_router.control, "apply", str(config), *options) as first:
        second = operated("weights", "ranker", "champion=60", "challenger=40", "paused=0", "--why", "urgent")
        assert second.status == 0
        ran = first.agree()
    assert ran.status == 4
    assert "applied" not in ran.out
    assert "somebody else changed this first, so nothing was changed by you" in ran.error
    assert "by (local)" in ran.error
    assert "(urgent)" in ran.error
    assert "~ experiment ranker: weight of challenger 20 -> 40" in ran.error
    assert "champion 60 (60.00%)" in operated("get").out


def test_validate_says_the_same_and_a_change_is_no_failure(operated: Turnout, config: Path) -> None:
    config.write_text(CONFIGURATION.replace("weight: 20", "weight: 120"))
    dry, valid = operated("apply", str(config), "--dry-run"), operated("validate", str(config))
    assert valid.out == dry.out
    assert "40.00% of its units would move" in valid.out
    assert (dry.status, valid.status) == (3, 0)
