"""Is what a policy says refused where it cannot be kept, or is more than the service should carry?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import pytest

from policies.plan import Plan
from policies.policy import Policy
from router.control.plan_records import UnusablePlan, compute, planned_of, same
from router.store.plans import PlanRecord


@dataclass(frozen=True)
class Saying:
    """Plans nothing, and says what it is told to."""

    said: Mapping[str, Any]

    def plan(self, *_: object) -> Plan:
        """Half and half."""
        return Plan("salt", {"a": 0.5, "b": 0.5}, **self.said)


def computed(**said: Any) -> Plan:
    return compute(cast(Policy, Saying(said)), None, 0.0, None, {})


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"findings": {"all": "x" * 70_000}}, "findings has 70010 bytes; allowed: 65536"),
        ({"progress": {"all": list(range(20_000))}}, "progress has .* bytes; allowed: 65536"),
        ({"rule": {"all": "x" * (4 << 20)}}, "rule has .* bytes; allowed: 4194304"),
        ({"findings": {"p": float("nan")}}, "findings is not of JSON's types"),
        ({"progress": {"seen": (1, 2)}}, "progress is not of JSON's types"),
        ({"findings": {"policy": object()}}, "findings cannot be kept"),
    ],
)
def test_what_cannot_be_kept_is_no_plan(said: dict[str, Any], problem: str) -> None:
    with pytest.raises(UnusablePlan, match=problem):
        computed(**said)


def test_what_fits_is_said_as_it_is() -> None:
    findings = {"all": "x" * 60_000}
    assert computed(findings=findings).findings == findings


@pytest.mark.parametrize(
    ("weights", "findings", "is_same"),
    [
        ({"a": 0.5, "b": 0.5}, {"p": [0.25, {"word": "safe", "step": 2}]}, True),
        ({"a": 0.5 + 1e-12, "b": 0.5}, {"p": [0.25 - 1e-12, {"word": "safe", "step": 2}]}, True),
        ({"a": 0.5 + 1e-6, "b": 0.5}, {"p": [0.25, {"word": "safe", "step": 2}]}, False),
        ({"a": 0.5, "b": 0.5}, {"p": [0.25 - 1e-6, {"word": "safe", "step": 2}]}, False),
        ({"a": 0.5, "b": 0.5}, {"p": [0.25, {"word": "harm", "step": 2}]}, False),
        ({"a": 0.5, "b": 0.5}, {"p": [0.25, {"word": "safe", "step": 3}]}, False),
        ({"a": 0.5, "b": 0.5}, {"p": [0.25, {"word": "safe", "step": True}]}, False),
        ({"a": 0.5, "b": 0.5}, {"p": [0.25, {"word": "safe"}]}, False),
        ({"a": 0.5, "b": 0.5}, {"p": [0.25]}, False),
        ({"a": 0.5, "c": 0.5}, {"p": [0.25, {"word": "safe", "step": 2}]}, False),
    ],
)
def test_a_plan_is_the_same_up_to_what_is_rounded(
    weights: dict[str, float], findings: dict[str, Any], is_same: bool
) -> None:
    kept = Plan("salt", {"a": 0.5, "b": 0.5}, findings={"p": [0.25, {"word": "safe", "step": 2}]})
    record = PlanRecord(
        experiment="e",
        epoch=1,
        at=0.0,
        policy={},
        allocation={},
        given={},
        observed=None,
        seed=None,
        planned=planned_of(kept),
    )
    assert same(record, Plan("salt", weights, findings=findings)) == is_same


def test_a_plan_of_whole_weights_is_the_same_after_it_was_kept() -> None:
    plan = Plan("salt", {"a": 1, "b": 3}, findings={"p": 1.0, "n": 2})
    record = PlanRecord(
        experiment="e",
        epoch=1,
        at=0.0,
        policy={},
        allocation={},
        given={},
        observed=None,
        seed=None,
        planned=planned_of(plan),
    )
    assert same(msgspec.json.decode(msgspec.json.encode(record), type=PlanRecord), plan)
