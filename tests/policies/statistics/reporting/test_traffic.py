"""Does a report say which requests fell back and which values were capped, and what nobody counted?"""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import policies.statistics
from policies.statistics.evidence import ExperimentEvidence
from policies.statistics.report import Report, to_json
from policies.statistics.reporting.result import Capped

EVEN = {"a": 1.0, "b": 1.0}

_schema = runpy.run_path(str(Path(__file__).parents[1] / "schema.py"))


def counted(evidence: ExperimentEvidence, epoch: int, variant: str, **counts: Any) -> ExperimentEvidence:
    """The evidence with these counts in one epoch (from 0) and variant."""
    found = evidence.epochs[epoch]
    variants = {**found.variants, variant: replace(found.variants[variant], **counts)}
    epochs = list(evidence.epochs)
    epochs[epoch] = replace(found, variants=variants)
    return replace(evidence, epochs=tuple(epochs))


def shown(report: Report) -> dict[str, tuple[float | None, tuple[Capped, ...]]]:
    return {each.name: (each.fallback_share, each.capped) for each in report.variants}


def test_what_nobody_counted_is_not_said_to_be_none(world: Callable, judged: Callable) -> None:
    found = judged(world(users=200).run([EVEN]))
    assert shown(found) == {"a": (None, ()), "b": (None, ())}
    assert to_json(found)["variants"][0]["fallback_share"] is None


def test_the_share_that_fell_back_is_of_the_epochs_that_counted_it(world: Callable, judged: Callable) -> None:
    evidence = world(users=200).run([EVEN, EVEN, EVEN])
    evidence = counted(evidence, 1, "b", fallback_requests=30)
    evidence = counted(evidence, 2, "b", fallback_requests=0)
    evidence = counted(evidence, 2, "a", fallback_requests=0)
    requests = sum(int(epoch.variants["b"].requests.sum()) for epoch in evidence.epochs[1:])
    assert shown(judged(evidence)) == {"a": (0.0, ()), "b": (30 / requests, ())}


def test_capped_values_add_up_over_epochs(world: Callable, judged: Callable) -> None:
    evidence = world(users=200).run([EVEN, EVEN])
    evidence = counted(evidence, 0, "b", capped={"value": 3, "before": 0})
    evidence = counted(evidence, 1, "b", capped={"value": 4})
    found = judged(evidence)
    assert shown(found)["b"] == (None, (Capped("value", 7), Capped("before", 0)))
    assert to_json(found)["variants"][1]["capped"] == [
        {"metric": "value", "count": 7},
        {"metric": "before", "count": 0},
    ]


def test_both_are_as_the_schema_says(world: Callable, judged: Callable) -> None:
    schema = json.loads((Path(policies.statistics.__path__[0]) / "report_schema.json").read_text())
    evidence = counted(world(users=50).run([EVEN]), 0, "b", capped={"value": 3}, fallback_requests=2)
    document = to_json(judged(evidence))
    assert list(_schema["errors"](document, schema, schema)) == []
    document["variants"][1]["fallback_share"] = 1.5
    document["variants"][1]["capped"][0]["count"] = -1
    assert len(list(_schema["errors"](document, schema, schema))) == 2
