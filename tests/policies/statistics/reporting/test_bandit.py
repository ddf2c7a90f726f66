"""Does a report say of a bandit what its own plan found, also after it was JSON?"""

from __future__ import annotations

import json
import runpy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import policies.statistics
from policies.statistics.evidence import ExperimentEvidence
from policies.statistics.report import AnalysisSettings, report, to_json
from policies.statistics.reporting.bandit import bandit_report
from policies.statistics.reporting.result import BanditReport
from tests.policies.bandit.worlds import bandit, planned, rates

ROOT = Path(policies.statistics.__path__[0])
_schema = runpy.run_path(str(Path(__file__).parents[1] / "schema.py"))
FOUND = planned(bandit(arms=3), rates([(500, 1000)] * 3, [(300, 600), (400, 600), (900, 1600)])).findings
SILENT = planned(bandit(), rates([(0, 0), (0, 0)])).findings


def said(findings: Mapping[str, Any]) -> BanditReport:
    found = bandit_report(json.loads(json.dumps(dict(findings))), 60.0)
    assert found is not None
    return found


def test_every_arm_has_the_intervals_of_the_plan() -> None:
    found = said(FOUND)
    assert (found.metric, found.planned, found.regret_reason) == ("won", 60.0, None)
    assert [each.variant for each in found.contrasts] == ["b", "c"]
    for contrast in found.contrasts:
        expected = FOUND["batched_ols"][contrast.variant]
        for part, shown in ((expected, contrast.fixed), (expected["sequential"], contrast.always_valid)):
            assert shown.interval is not None
            assert (shown.difference, shown.epochs) == (part["estimate"], part["epochs"])
            assert (shown.interval.low, shown.interval.high) == (part["low"], part["high"])
            assert (shown.interval.level, shown.interval.p_value) == (0.95, part["p_value"])
        assert contrast.always_valid.epochs == contrast.fixed.epochs - 1
    assert found.regret is not None
    assert FOUND["regret"] == {
        "estimate": found.regret.estimate,
        "standard_error": found.regret.standard_error,
    }


def test_without_outcomes_it_says_why_there_is_no_difference() -> None:
    (contrast,) = said(SILENT).contrasts
    for shown in (contrast.fixed, contrast.always_valid):
        assert (shown.epochs, shown.difference, shown.interval) == (0, None, None)
        assert shown.reason == "no epoch in which both variants had outcomes that vary"


def test_without_beliefs_it_says_why_there_is_no_regret() -> None:
    found = said({"metric": "won", "batched_ols": {}, "reason": "an arm has no outcome"})
    assert (found.contrasts, found.regret, found.regret_reason) == ((), None, "an arm has no outcome")


def test_there_is_nothing_to_say_before_the_first_evidence() -> None:
    assert bandit_report({}, 60.0) is None


@pytest.mark.parametrize("findings", [FOUND, SILENT], ids=["found", "silent"])
def test_it_is_in_the_document_as_the_schema_has_it(findings: Mapping[str, Any]) -> None:
    schema = json.loads((ROOT / "report_schema.json").read_text())
    empty = report(ExperimentEvidence("x", "a", ()), [], AnalysisSettings(), 0.0)
    document = to_json(replace(empty, bandit=said(findings)))
    assert list(_schema["errors"](document, schema, schema)) == []
    document["bandit"]["contrasts"][0]["fixed"]["interval"] = {"low": 1}
    assert list(_schema["errors"](document, schema, schema)) != []
