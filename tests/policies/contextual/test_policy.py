"""Does a contextual policy collect first, learn then, and pause longer the older it is?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policies.contextual.features import Feature
from policies.contextual.policy import ContextualParameters
from policies.kinds.linear_thompson import LinearThompson
from policies.metric import MetricSpec
from policies.policy import Allocation
from policies.statistics.observed import Observed, ObservedLinear

ALLOCATION = Allocation("salt", {"a": 1.0, "b": 1.0, "paused": 0.0}, "a", (MetricSpec("clicked", "binary"),))
AGE = Feature("age", header="x-age", low=0, high=100)
NOW = 1_700_000_000.0


def seen(decisions: float, rate: float) -> ObservedLinear:
    half = decisions / 2
    gram = ((decisions, half), (half, decisions / 3))
    return ObservedLinear(decisions, gram, (rate * decisions, rate * half), rate * decisions)


def plan(decisions: float, progress: dict[str, Any] | None = None, now: float = NOW) -> Any:
    policy = LinearThompson(ALLOCATION, ContextualParameters(features=(AGE,), min_decisions=50))
    linear = {"a": seen(decisions, 0.1), "b": seen(decisions, 0.3)}
    return policy.plan(Observed("e", "a", (), linear), now, None, progress or {})


def test_it_collects_until_every_variant_has_enough() -> None:
    assert plan(49).rule["arms"] == {}
    assert plan(49).why == "collecting decisions"
    learnt = plan(50)
    assert sorted(learnt.rule["arms"]) == ["a", "b"]
    assert learnt.why == "learnt from 100 decisions"


def test_it_learns_which_is_better() -> None:
    arms = plan(1000).rule["arms"]
    predicted = {name: sum(map(float.__mul__, arm["theta"], [1.0, 0.5])) for name, arm in arms.items()}
    assert predicted == pytest.approx({"a": 0.1, "b": 0.3}, abs=0.01)


def test_it_pauses_longer_the_older_it_is() -> None:
    young, old = plan(500), plan(500, {"began": NOW - 100_000.0})
    assert young.progress == {"began": NOW, "not_before": NOW + 60.0}
    assert old.progress == {"began": NOW - 100_000.0, "not_before": NOW + 1000.0}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"every": timedelta(milliseconds=10)}, "every is too short"),
        ({"floor": 0.0}, "floor is 0"),
        ({"exploration": 0.0}, "exploration is 0"),
        ({"l2": 0.0}, "l2 is 0"),
        ({"keep": 3}, "keep"),
        ({"features": (AGE, AGE)}, "there twice"),
    ],
)
def test_wrong_parameters_are_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ContextualParameters(**fields)


def test_it_needs_a_metric_that_there_is() -> None:
    with pytest.raises(ValueError, match="needs a metric"):
        LinearThompson(Allocation("salt", {"a": 1.0}, "a"), ContextualParameters())
    with pytest.raises(ValueError, match="no metric 'sold'; the experiment has: clicked"):
        LinearThompson(ALLOCATION, ContextualParameters(metric="sold"))
