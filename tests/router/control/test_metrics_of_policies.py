"""Which metrics do the policies have?"""

from __future__ import annotations

from typing import Any

from policies.plan import Plan
from router.control.metrics_of_policies import policy_families
from router.control.planning_book import PlanningBook, Said
from router.state import Progress


def said(kind: str, **findings: Any) -> Said:
    return Said(kind, 100.0, 105.0, Plan("s", {"a": 1.0}, findings=findings))


def samples(book: PlanningBook) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in policy_families(book)
        for sample in family.samples
    }


def test_a_canary() -> None:
    book = PlanningBook()
    book.leading = True
    book.say("ranker", said("canary", phase="Progressing", step=1, verdict="safe"), None)
    turned = book.say("ranker", said("canary", phase="Failed", step=1, verdict="harm"), None)
    assert turned
    assert not book.say("ranker", said("canary", phase="Failed", step=1, verdict="harm"), None)
    found = samples(book)
    assert found["turnout_planner_leading",] == 1
    assert found["turnout_policy_planned_timestamp_seconds", "ranker"] == 100
    phases = {key[2]: value for key, value in found.items() if key[0] == "turnout_canary_phase"}
    assert len(phases) == 9
    assert [phase for phase, value in phases.items() if value] == ["Failed"]
    assert found["turnout_canary_step", "ranker"] == 1
    assert found["turnout_canary_verdict", "ranker", "harm"] == 1
    assert found["turnout_canary_verdict", "ranker", "not enough data"] == 0
    assert found["turnout_canary_rollbacks_total", "ranker"] == 1


def test_a_rollback_of_before_is_not_counted_again_by_the_next_leader() -> None:
    book = PlanningBook()
    before = Progress(at=1.0, findings={"phase": "Failed", "step": 1})
    assert not book.say("ranker", said("canary", phase="Failed", step=1), before)
    assert samples(book)["turnout_canary_rollbacks_total", "ranker"] == 0


def test_a_bandit_and_what_is_no_number() -> None:
    book = PlanningBook()
    book.say("ranker", said("thompson", probability_best={"a": 0.25, "b": 0.75, "c": None}), None)
    found = samples(book)
    assert found["turnout_policy_best_ratio", "ranker", "b"] == 0.75
    assert ("turnout_policy_best_ratio", "ranker", "c") not in found
    assert not any(name.startswith("turnout_canary_phase") for name, *_ in found)
    book.keep(())
    assert ("turnout_policy_best_ratio", "ranker", "b") not in samples(book)
