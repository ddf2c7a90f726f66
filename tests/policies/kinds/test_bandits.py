"""Do the bandits wait, move, stop and take arms out when they should?"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policies.bandit.learning import least_gap
from policies.bandit.parameters import BanditParameters, Guardrail
from policies.metric import MetricSpec
from policies.plan import Plan
from policies.policy import Allocation, find_policy
from policies.statistics.means import Mean
from policies.statistics.observed import ObservedMetric
from router.experiment_policy import policy_with_parameters
from tests.policies.bandit.worlds import (
    AMOUNT,
    START,
    WON,
    bandit,
    observed,
    planned,
    rates,
    variant,
    weights,
)

KINDS = ("thompson", "top-two", "track-and-stop", "epsilon-greedy")
CLEAR = [(10, 1000), (300, 1000)]
PAYING = {"a": 5, "b": 80, "c": 5}
CLOSE = [(100, 1000), (110, 1000)]


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_it_starts_with_the_configured_weights_and_waits_for_its_units(self, kind: str) -> None:
        found = find_policy(kind)
        policy = found(
            Allocation("salt", {"a": 90.0, "b": 10.0}, "a", (WON,)), found.Parameters(min_units=100)
        )
        start = policy.plan(None, START, None, {})
        assert start.weights == {"a": 90.0, "b": 10.0}
        waiting = planned(policy, rates([(10, 900), (60, 99)]))
        assert waiting.weights == start.weights
        assert "1 more of b" in waiting.why
        assert planned(policy, rates([(10, 900), (60, 100)])).weights != start.weights

    def test_it_goes_to_the_better_arm(self, kind: str) -> None:
        plan = planned(bandit(kind, floor=0.1), rates(CLEAR))
        assert weights(plan)[1] == pytest.approx(0.95, abs=0.001)
        assert plan.findings["winner"] == "b"

    def test_a_paused_arm_stays_paused(self, kind: str) -> None:
        found = find_policy(kind)
        policy = found(
            Allocation("salt", {"a": 1.0, "b": 1.0, "c": 0.0}, "a", (WON,)), found.Parameters(min_units=0)
        )
        plan = planned(policy, rates([(10, 100), (20, 100), (90, 100)]))
        assert plan.weights["c"] == 0.0
        assert "c" not in plan.findings["probability_best"]

    def test_an_arm_that_fails_is_out_and_stays_out(self, kind: str) -> None:
        policy = bandit(kind, 3, floor=0.1)
        counts = [(100, 1000), (300, 1000), (100, 1000)]
        seen = rates(counts, errors=[[(1, 1000), (200, 1000), (1, 1000)]])
        plan = planned(policy, seen)
        assert plan.weights["b"] == 0.0
        assert min(plan.weights["a"], plan.weights["c"]) > 0.0
        assert "errors worse than a's by 0.19" in plan.findings["out"]["b"]
        assert "b is out" in plan.why
        healthy = rates(counts)
        assert planned(policy, healthy, 200.0, plan.progress).weights["b"] == 0.0
        assert planned(policy, healthy).weights["b"] > 0.0

    def test_harm_waits_for_nothing(self, kind: str) -> None:
        policy = bandit(kind, min_units=10**9)
        plan = planned(policy, rates([(10, 500), (10, 500)], errors=[[(0, 500), (200, 500)]]), hours=0.001)
        assert plan.weights == {"a": 1.0, "b": 0.0}

    def test_nothing_moves_before_the_guardrails_can_judge(self, kind: str) -> None:
        policy = bandit(kind, min_units=10)
        early = rates([(2, 40), (36, 40)], errors=[[(0, 40), (39, 40)]])
        waiting = planned(policy, early)
        assert waiting.weights == {"a": 1.0, "b": 1.0}
        assert "guardrails can judge: 10 more of a with errors, 10 more of b with errors" in waiting.why
        judged = rates([(2, 50), (46, 50)], errors=[[(0, 50), (49, 50)]])
        assert planned(policy, judged, 200.0, waiting.progress).weights == {"a": 1.0, "b": 0.0}
        assert planned(bandit(kind, min_units=10, guardrails=()), early).weights["b"] > 1.0 / 2.0

    def test_nothing_moves_before_a_guardrail_has_seen_anything(self, kind: str) -> None:
        basket = MetricSpec("basket", "mean", margin=1.0, guardrail=True)
        policy = bandit(kind, 3, metrics=(WON, basket))
        unseen = {name: variant("won", Mean.of_rate(wins, 90), 90, wins) for name, wins in PAYING.items()}
        waiting = planned(policy, observed([unseen]))
        assert waiting.weights == {"a": 1.0, "b": 1.0, "c": 1.0}
        assert "50 more of a with basket, 50 more of b" in waiting.why
        spent = {"basket": ObservedMetric(Mean(10.0, 9.0 / 49, 49.0, 50), 50, 500.0)}
        seen = {name: replace(each, metrics={**each.metrics, **spent}) for name, each in unseen.items()}
        assert weights(planned(policy, observed([seen])))[1] > 0.4

    def test_the_control_is_never_taken_out(self, kind: str) -> None:
        plan = planned(bandit(kind), rates([(10, 500), (10, 500)], errors=[[(400, 500), (0, 500)]]))
        assert plan.findings["out"] == {}

    def test_too_few_errors_take_nobody_out(self, kind: str) -> None:
        plan = planned(bandit(kind), rates([(10, 60), (10, 60)], errors=[[(0, 60), (9, 60)]]))
        assert plan.findings["out"] == {}

    def test_what_was_seen_before_the_last_edit_does_not_count(self, kind: str) -> None:
        policy = bandit(kind, min_units=100)
        begun = policy.plan(None, START + 3600.0, None, {})
        plan = policy.plan(rates(CLEAR, [(0, 0), (0, 0)]), START + 7200.0, None, begun.progress)
        assert plan.weights == begun.weights
        assert plan.findings["units"] == {"a": 0.0, "b": 0.0}

    def test_the_draw_is_as_configured(self, kind: str) -> None:
        assert bandit(kind).plan(None, START, None, {}).draw == "unit"
        assert planned(bandit(kind, draw="request"), rates(CLEAR)).draw == "request"

    def test_findings_and_progress_are_json(self, kind: str) -> None:
        for seen in (rates(CLEAR), rates([(0, 1), (0, 0)]), rates([(0, 0), (0, 0)]), rates([(5, 5), (0, 5)])):
            plan = planned(bandit(kind), seen)
            said = [plan.findings, plan.progress]
            assert json.loads(json.dumps(said, allow_nan=False)) == said

    def test_the_configuration_is_read_in_its_own_units(self, kind: str) -> None:
        data = {
            "kind": kind,
            "every": "5m",
            "discount": "7d",
            "guardrails": [{"metric": "errors", "margin": 0.02}],
        }
        _, parameters = policy_with_parameters(data, ())
        assert parameters.every == timedelta(minutes=5)
        assert parameters.discount == timedelta(days=7)
        assert parameters.guardrails == (Guardrail("errors", 0.02),)


class TestPace:
    def test_a_change_below_the_step_opens_no_epoch(self) -> None:
        first = planned(bandit(step=0.05), rates(CLOSE), 1.0)
        near = planned(bandit(step=0.05), rates([(101, 1001), (110, 1000)]), 2.0, first.progress)
        assert near.weights == first.weights
        assert "below the step" in near.why
        far = planned(bandit(step=0.05), rates([(150, 1100), (110, 1000)]), 3.0, near.progress)
        assert far.weights != first.weights

    def test_between_two_changes_there_is_time(self) -> None:
        first = planned(bandit(every=timedelta(hours=1)), rates(CLOSE), 1.0)
        soon = planned(bandit(every=timedelta(hours=1)), rates(CLEAR), 1.5, first.progress)
        assert soon.weights == first.weights
        assert soon.findings["units"] == {"a": 1000.0, "b": 1000.0}
        assert (
            planned(bandit(every=timedelta(hours=1)), rates(CLEAR), 2.0, soon.progress).weights
            != first.weights
        )

    def test_a_bandit_of_weeks_makes_a_bounded_number_of_epochs(self) -> None:
        age, number = 0.0, 0
        while age < 28 * 86_400:
            age += least_gap(BanditParameters(), age)
            number += 1
        assert 500 < number < 1500

    def test_with_a_discount_even_an_epoch_without_a_change_ends(self) -> None:
        policy = bandit(discount=timedelta(hours=8), floor=0.1)
        first = planned(policy, rates([(0, 10_000), (9_000, 10_000)]), 10.0)
        same = planned(policy, rates([(0, 10_000), (9_000, 10_000)]), 10.5, first.progress)
        later = planned(policy, rates([(0, 10_000), (9_000, 10_000)]), 13.0, same.progress)
        assert same.weights == first.weights
        assert later.weights != first.weights
        assert weights(later) == pytest.approx(weights(first))


class TestWinner:
    @pytest.mark.parametrize("kind", ["top-two", "track-and-stop"])
    def test_it_commits_to_the_winner_for_good(self, kind: str) -> None:
        policy = bandit(kind, 3, floor=0.06)
        plan = planned(policy, rates([*CLEAR, (10, 1000)]))
        assert weights(plan) == pytest.approx([0.02, 0.96, 0.02])
        assert "b is the best, with confidence 0.95" in plan.why
        doubtful = planned(policy, rates([(150, 1000), (150, 1000), (10, 1000)]), 200.0, plan.progress)
        assert doubtful.weights == plan.weights

    @pytest.mark.parametrize("kind", ["top-two", "track-and-stop"])
    def test_or_holds_where_that_is_asked(self, kind: str) -> None:
        plan = planned(bandit(kind, stop="hold"), rates(CLEAR))
        assert weights(plan) == [0.5, 0.5]
        assert plan.findings["winner"] == "b"

    @pytest.mark.parametrize("kind", KINDS)
    def test_there_is_none_while_arms_are_close(self, kind: str) -> None:
        plan = planned(bandit(kind), rates(CLOSE))
        assert plan.findings["winner"] is None
        ratio = plan.findings["likelihood_ratio"]
        assert ratio["least"] < ratio["needed"]

    def test_a_winner_that_fails_is_none(self) -> None:
        policy = bandit("top-two", floor=0.1)
        plan = planned(policy, rates(CLEAR))
        failing = planned(policy, rates(CLEAR, errors=[[(0, 1000), (500, 1000)]]), 101.0, plan.progress)
        assert failing.weights == {"a": 1.0, "b": 0.0}
        assert failing.findings["winner"] is None


class TestDrift:
    """The epochs' level rises while traffic moves to b; within each epoch a is better."""

    SEEN = ([(100, 900), (10, 100)], [(55, 100), (450, 900)])

    def test_within_epochs_the_better_arm_is_found(self) -> None:
        plan = planned(bandit(step=0.0), rates(*self.SEEN))
        assert weights(plan)[0] > 0.7

    def test_pooled_the_worse_one_looks_better(self) -> None:
        plan = planned(bandit(step=0.0, baseline="stable"), rates(*self.SEEN))
        assert weights(plan)[1] > 0.99

    def test_a_world_that_changed_is_seen_by_a_discount(self) -> None:
        seen = rates([(600, 1000), (200, 1000)], [(100, 500), (300, 500)], every=86_400.0)
        plain = planned(bandit(step=0.0), seen, 48.0)
        aged = planned(bandit(step=0.0, discount=timedelta(hours=6)), seen, 48.0)
        assert weights(plain)[0] > 0.5
        assert weights(aged)[1] > 0.99


class TestFindings:
    def test_regret_is_what_the_worse_arms_outcomes_lost(self) -> None:
        found = planned(bandit(), rates([(1000, 10_000), (3000, 10_000)])).findings["regret"]
        assert found["estimate"] == pytest.approx(0.2 * 10_000, rel=0.01)
        assert found["standard_error"] == pytest.approx(
            10_000 * (0.3 * 0.7 / 1e4 + 0.1 * 0.9 / 1e4) ** 0.5, rel=0.01
        )

    def test_requests_of_the_same_unit_count_for_less(self) -> None:
        def arms(inflation: float) -> Any:
            return {
                name: variant(
                    "won", Mean(rate, inflation * rate * (1 - rate) / 1000, 999.0, 1000), 1000, rate * 1000
                )
                for name, rate in (("a", 0.1), ("b", 0.12))
            }

        alone, together = (planned(bandit(), observed([arms(by)])).findings for by in (1.0, 4.0))
        assert alone["effective_units"]["a"] == pytest.approx(1000, rel=1e-3)
        assert together["effective_units"]["a"] == pytest.approx(250, rel=1e-3)
        assert together["probability_best"]["b"] < alone["probability_best"]["b"]


@pytest.mark.parametrize(
    ("metrics", "given", "said"),
    [
        ((), {}, "needs a metric"),
        ((WON,), {"metric": "sold"}, "the experiment has: won"),
        ((MetricSpec("won", "binary", per="request"),), {"baseline": "stable"}, "takes baseline: drifting"),
        ((WON, AMOUNT), {"guardrails": (Guardrail("amount"),)}, "has no margin"),
        ((WON,), {"guardrails": (Guardrail("amount", 0.1),)}, "no metric 'amount'; the experiment has: won"),
        ((WON,), {"every": timedelta(milliseconds=10)}, "1s or more"),
        ((WON,), {"floor": 1.5}, "0 to 1"),
        ((WON,), {"step": 1.0}, "without 1"),
        ((WON,), {"confidence": 1.0}, "between 0 and 1"),
        ((WON,), {"discount": timedelta(0)}, "not above 0"),
    ],
)
def test_what_does_not_go_together_is_refused(metrics: Any, given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        bandit("thompson", 2, metrics, **given)


def test_a_data_plane_that_reads_a_bandit_has_no_numpy() -> None:
    code = (
        "import sys\n"
        "from policies.policy import Allocation, find_policy\n"
        "from policies.metric import MetricSpec\n"
        "for kind in ('thompson', 'top-two', 'track-and-stop', 'epsilon-greedy'):\n"
        "    policy = find_policy(kind)\n"
        "    allocation = Allocation('s', {'a': 1, 'b': 1}, 'a', (MetricSpec('m', 'mean'),))\n"
        "    policy(allocation, policy.Parameters()).plan(None, 0.0, None, {})\n"
        "assert 'numpy' not in sys.modules and 'scipy' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_last_arm_is_never_taken_out() -> None:
    found = find_policy("thompson")
    policy = found(
        Allocation("salt", {"a": 0.0, "b": 1.0, "c": 1.0}, "a", (WON,)), found.Parameters(min_units=0)
    )
    counts = [(10, 500), (10, 500), (10, 500)]
    plan: Plan = planned(policy, rates(counts, errors=[[(0, 500), (200, 500), (250, 500)]]))
    assert sum(weight > 0 for weight in plan.weights.values()) == 1
