"""What does a report look like as JSON?

The shape is described by ``policies/statistics/report_schema.json``: a bound at infinity and what could not
be had are null, all else is as in the dataclasses, under the same names.
"""

from __future__ import annotations

from dataclasses import fields
from math import isfinite
from typing import Any, Final

from policies.statistics.reporting.result import EpochEffects, Report

VERSION: Final = 1


def to_json(report: Report) -> dict[str, Any]:
    """The report as what ``json.dumps`` takes, without NaN or infinity; ``version`` names the schema's.

    >>> from policies.statistics.evidence import ExperimentEvidence
    >>> from policies.statistics.report import AnalysisSettings, report
    >>> empty = report(ExperimentEvidence("checkout", "a", ()), [], AnalysisSettings(), now=0.0)
    >>> to_json(empty)["version"], to_json(empty)["health"], to_json(empty)["effects"]
    (1, 'ok', [])
    """
    return {"version": VERSION, **_plain(report)}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, EpochEffects):
        return _rows(value)
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _rows(effects: EpochEffects) -> list[dict[str, Any]]:
    """One object an epoch, as ``EpochEffect`` has it."""
    columns = {field.name: _plain(getattr(effects, field.name)) for field in fields(effects)}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
