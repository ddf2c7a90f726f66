"""Does a terminal show of a bandit each arm's intervals by batched OLS, and the regret?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from typing import Any

import msgspec
import pytest
from rich.console import Console

from policies.statistics.evidence import ExperimentEvidence
from policies.statistics.report import AnalysisSettings, report, to_json
from policies.statistics.reporting.bandit import bandit_report
from router.cli.report_tables import print_report
from router.cli.report_view import Report
from tests.policies.bandit.worlds import bandit, planned, rates


def printed(findings: Mapping[str, Any] | None, columns: int = 80) -> list[str]:
    """What a report on no traffic but these findings looks like."""
    empty = report(ExperimentEvidence("ranker", "a", ()), [], AnalysisSettings(), 0.0)
    if findings is not None:
        empty = replace(empty, bandit=bandit_report(findings, 1_700_000_000.0))
    document = msgspec.json.decode(json.dumps(to_json(empty)), type=Report)
    console = Console(file=StringIO(), width=columns, no_color=True)
    print_report(console, document)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("columns", [80, 120])
def test_each_arm_has_a_line_and_the_regret_another(columns: int) -> None:
    counts = [(500, 1000), (500, 1000), (510, 1000)], [(300, 600), (400, 600), (900, 1600)]
    findings = planned(bandit(arms=3), rates(*counts)).findings
    lines = printed(findings, columns)
    assert "Bandit on won by batched OLS, planned 2023-11-14 22:13:20 UTC" in [line.strip() for line in lines]
    for arm in "bc":
        (line,) = [line for line in lines if line.startswith(f"{arm} ")]
        shown = findings["batched_ols"][arm]
        once, looks = (f"{each['low']:+.3g} to {each['high']:+.3g}" for each in (shown, shown["sequential"]))
        assert f"{shown['estimate']:+.3g} " in line
        assert line.index(once) < line.index(looks)
        assert line.split()[-1] == "2"
    (lost,) = [line for line in lines if line.startswith("estimated regret: ")]
    expected = findings["regret"]
    assert f" {expected['estimate']:.3g} ± {expected['standard_error']:.2g} of won, " in lost
    assert not any("…" in line for line in lines)


def test_what_cannot_be_had_says_why() -> None:
    lines = printed(planned(bandit(), rates([(0, 0), (0, 0)])).findings)
    assert "no batched OLS for b: no epoch in which both variants had outcomes that vary" in lines
    lines = printed({"metric": "won", "batched_ols": {}, "reason": "an arm has no [outcome]"})
    assert "no estimate of the regret: an arm has no [outcome]" in lines


def test_nothing_is_said_of_bandits_where_there_is_none() -> None:
    assert not any("regret" in line or "OLS" in line for line in printed(None))
