"""Do the guardrails take out the arms that do harm, and rarely one that does as much as is allowed?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from policies.bandit.guardrails import harmful, still_out
from policies.bandit.parameters import Guardrail
from policies.metric import MetricSpec
from policies.policy import Allocation
from policies.statistics.means import Mean
from tests.policies.bandit.worlds import WON, observed, rates, variant

ERRORS = (Guardrail("errors", 0.01),)


def allocation(*metrics: MetricSpec) -> Allocation:
    return Allocation("salt", {"a": 1.0, "b": 1.0}, "a", metrics or (WON,))


def ever_out(shares: Sequence[float], runs: int, looks: int, each: int, seed: int) -> float:
    """How often b is taken out at any of the looks, errors having these rates, a twentieth of it for b."""
    called = 0
    for rng in np.random.default_rng(seed).spawn(runs):
        trials = np.array([each * 19 // 20, each // 20])
        failed = rng.binomial(trials, shares, (looks, 2)).cumsum(axis=0)
        called += any(
            harmful(
                rates(
                    [(0, int(n)) for n in trials * (look + 1)],
                    errors=[
                        [(int(f), int(n)) for f, n in zip(failed[look], trials * (look + 1), strict=True)]
                    ],
                ).epochs,
                allocation(),
                ERRORS,
                ["a", "b"],
            )
            for look in range(looks)
        )
    return called / runs


def test_an_arm_that_errs_as_much_more_as_is_allowed_is_rarely_taken_out() -> None:
    assert ever_out([0.02, 0.03], runs=200, looks=20, each=2000, seed=1) <= 0.05


def test_one_that_errs_far_more_is_taken_out() -> None:
    assert ever_out([0.01, 0.08], runs=50, looks=20, each=2000, seed=2) >= 0.95


def test_a_drift_of_all_arms_is_no_harm() -> None:
    epochs = [[(0, 9000), (0, 1000)], [(0, 1000), (0, 9000)]]
    errors = [[(90, 9000), (10, 1000)], [(100, 1000), (900, 9000)]]
    assert harmful(rates(*epochs, errors=errors).epochs, allocation(), ERRORS, ["a", "b"]) == {}


@pytest.mark.parametrize(("goal", "b", "out"), [("increase", 7.0, True), ("decrease", 7.0, False)])
def test_a_metric_does_harm_in_the_direction_that_is_not_its_goal(goal: str, b: float, out: bool) -> None:
    basket = MetricSpec("basket", "mean", goal, margin=1.0, guardrail=True)
    arms = {
        name: variant("basket", Mean(mean, 9.0 / 5000, 999.0, 1000), 5000, mean * 5000)
        for name, mean in (("a", 10.0), ("b", b))
    }
    found = harmful(observed([arms]).epochs, allocation(basket), (Guardrail("basket"),), ["a", "b"])
    assert ("b" in found) is out


def test_what_was_taken_out_stays_out_but_for_the_last() -> None:
    assert still_out({"b": "errors"}, {}, ["a", "b", "c"]) == {"b": "errors"}
    assert still_out({"b": "errors"}, {"c": "errors"}, ["b", "c"]) == {"b": "errors"}
    assert still_out({"gone": "errors"}, {}, ["a", "b"]) == {}
