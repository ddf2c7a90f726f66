"""Is the report, as JSON, what its published schema says?"""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import policies.statistics
from policies.metric import BetaPrior, MetricSpec
from policies.statistics.evidence import ExperimentEvidence
from policies.statistics.report import to_json

WON = MetricSpec("won", "binary")
VALUE = MetricSpec("value", "mean")
EVEN = {"a": 1.0, "b": 1.0}


_schema = runpy.run_path(str(Path(__file__).parents[1] / "schema.py"))


def documents(world: Callable, judged: Callable) -> list[dict]:
    rich = world(users=3000, late={"a": 0.1}).run([{"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0, "c": 0.5}])
    specs = (
        replace(WON, margin=0.02, guardrail=True, prior=BetaPrior(2.0, 5.0)),
        replace(VALUE, covariate="before"),
    )
    return [
        to_json(judged(rich, *specs)),
        to_json(judged(world(users=3).run([EVEN]))),
        to_json(judged(ExperimentEvidence("x", "a", ()))),
    ]


def test_json_is_as_its_schema_says(world: Callable, judged: Callable) -> None:
    schema = json.loads((Path(policies.statistics.__path__[0]) / "report_schema.json").read_text())
    for document in documents(world, judged):
        assert list(_schema["errors"](document, schema, schema)) == []
        assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_the_schema_refuses_what_is_not_a_report(world: Callable, judged: Callable) -> None:
    schema = json.loads((Path(policies.statistics.__path__[0]) / "report_schema.json").read_text())
    whole = documents(world, judged)[0]
    spoilt = [
        {key: value for key, value in whole.items() if key != "health"},
        {**whole, "extra": 1},
        {**whole, "health": "fine"},
        {**whole, "effects": [{**whole["effects"][0], "decision": "good"}]},
        {**whole, "effects": [{**whole["effects"][0], "always_valid": {"low": 1}}]},
        {**whole, "immature_share": 1.5},
        {**whole, "computed_at": True},
    ]
    for document in spoilt:
        assert list(_schema["errors"](document, schema, schema)) != []


def test_every_part_of_the_schema_is_described() -> None:
    schema = json.loads((Path(policies.statistics.__path__[0]) / "report_schema.json").read_text())
    assert all(part["description"] for part in schema["$defs"].values())
