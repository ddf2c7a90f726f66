"""Does a canary go up where it is safe, wait where too little is known, and go back where it harms?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from policies.canary.parameters import CanaryParameters, Guardrails, LatencyGuardrail, Step
from policies.kinds.canary import Canary
from policies.metric import MetricSpec
from policies.plan import Plan
from policies.policy import Allocation
from policies.statistics.observed import ObservedVariant
from policies.steering import SERVICE, HookType, Webhook
from tests.policies.canary.worlds import observed, variant

WRITTEN = {"champion": 50.0, "challenger": 50.0}
CLICKED = MetricSpec("clicked", "binary", margin=0.05)
STEPS = (Step(5, timedelta(seconds=10), 50), Step(25, timedelta(seconds=10), 50))
MUCH = variant(4000, 4)


class Rollout:
    """A canary, planned again and again; ``sees`` says what candidate and baseline have in its epoch."""

    def __init__(self, **parameters: Any) -> None:
        metrics = parameters.pop("of_experiment", (CLICKED,))
        allocation = Allocation("salt", WRITTEN, "champion", metrics)
        self.policy = Canary(allocation, CanaryParameters(**{"steps": STEPS, **parameters}))
        self.now = 0.0
        self.plan = self.policy.plan(None, self.now, None, {})
        self.epochs: list[tuple[float, dict[str, float], dict[str, ObservedVariant]]] = []
        self._open()

    def _open(self) -> None:
        self.epochs.append((self.now, dict(self.plan.weights), {}))

    def sees(
        self, candidate: ObservedVariant, control: ObservedVariant = MUCH, rest: ObservedVariant | None = None
    ) -> None:
        """``rest``: of the control, beside its slice."""
        of = self.policy.parameters.baseline or "champion"
        self.epochs[-1][2].update({"challenger": candidate, of: control})
        if rest is not None:
            self.epochs[-1][2]["champion"] = rest

    def after(self, seconds: float, service: Mapping[str, Any] | None = None) -> Plan:
        self.now += seconds
        given = {**self.plan.progress, **({SERVICE: dict(service)} if service else {})}
        before = self.plan.weights
        self.plan = self.policy.plan(observed(*self.epochs), self.now, None, given)
        if self.plan.weights != before:
            self._open()
        return self.plan

    def told(self, word: Any) -> Plan:
        progress = self.policy.told(word, self.plan.progress, self.now)
        before = self.plan.weights
        self.plan = self.policy.plan(None, self.now, None, progress)
        if self.plan.weights != before:
            self._open()
        return self.plan

    @property
    def phase(self) -> Any:
        return self.plan.findings["phase"] if self.plan.findings else self.plan.progress["phase"]


def at_first_step(**parameters: Any) -> Rollout:
    rollout = Rollout(**parameters)
    rollout.after(1)
    assert (rollout.phase, rollout.plan.findings["step"]) == ("Progressing", 1)
    return rollout


def test_nobody_gets_the_candidate_before_a_planner_watches() -> None:
    rollout = Rollout()
    assert rollout.plan.weights == {"champion": 100.0, "challenger": 0.0, "baseline": 0.0}
    assert rollout.plan.copies == {"baseline": "champion"}


def test_the_baseline_is_as_large_as_the_candidate_as_far_as_there_is_so_much() -> None:
    rollout = at_first_step(steps=(Step(5), Step(80)))
    assert rollout.plan.weights == {"champion": 90.0, "challenger": 5.0, "baseline": 5.0}
    rollout.sees(MUCH)
    rollout.after(100)
    assert rollout.plan.weights == {"champion": 0.0, "challenger": 80.0, "baseline": 20.0}


def test_a_healthy_one_goes_up_and_takes_over() -> None:
    rollout = at_first_step()
    phases = []
    for _ in range(6):
        rollout.sees(MUCH)
        rollout.after(11)
        assert rollout.plan.copies == {"baseline": "champion"}  # the slice is served as all of the control is
        phases.append((rollout.phase, rollout.plan.findings["step"], rollout.plan.weights["challenger"]))
    assert phases == [
        ("Progressing", 2, 25.0),
        ("Promoting", 2, 100.0),
        ("Finalising", 2, 100.0),
        ("Succeeded", 2, 100.0),
        ("Succeeded", 2, 100.0),
        ("Succeeded", 2, 100.0),
    ]


def test_a_step_lasts_its_time_and_has_its_units() -> None:
    rollout = at_first_step()
    rollout.sees(MUCH)
    assert "the step lasts 4 s more" in rollout.after(6).why
    rollout.sees(variant(40), variant(4000))
    assert "40 of 50 units" in rollout.after(6).why
    rollout.sees(MUCH)
    rollout.after(1)
    assert rollout.plan.findings["step"] == 2


@pytest.mark.parametrize("baseline", ["baseline", None])
def test_one_that_fails_is_rolled_back_and_stays_so(baseline: str | None) -> None:
    rollout = at_first_step(baseline=baseline)
    rollout.sees(variant(400, 20), variant(400 if baseline else 7600, 1))
    plan = rollout.after(1)
    assert rollout.phase == "Failed"
    assert (plan.weights["challenger"], plan.weights["champion"]) == (0.0, 100.0)
    assert plan.why.startswith("harm: errors (candidate 0.05")
    for _ in range(3):
        assert rollout.after(60).findings["phase"] == "Failed"
    assert "harm: errors" in rollout.plan.why


def test_harm_is_tested_against_all_of_the_control_and_the_finding_says_so() -> None:
    candidate, slice_ = variant(80, 4), variant(80)
    rollout = at_first_step()
    rollout.sees(candidate, slice_)
    assert rollout.after(1).findings["verdict"] == "not enough data"
    rollout.sees(candidate, slice_, rest=variant(1440, 2))
    (found,) = rollout.after(1).findings["guardrails"]
    assert found["verdict"] == "harm"
    assert (found["candidate"], found["control"], found["whole_control"]) == (0.05, 0.0, 2 / 1520)
    assert "harm: errors (candidate 0.05, all of the control 0.001316; p 0.00" in rollout.plan.why


def test_events_of_all_of_the_control_speak_for_a_candidate_that_looks_worse_than_the_slice() -> None:
    rollout = at_first_step()
    rollout.sees(variant(400, 20), variant(400, 1))
    assert rollout.after(1).findings["verdict"] == "harm"
    rollout = at_first_step()
    rollout.sees(variant(400, 20), variant(400, 1), rest=variant(7200, 320))
    (found,) = rollout.after(1).findings["guardrails"]
    assert found["harm"] > 0.04 > found["margin"]
    assert found["p_value"] > 0.1
    assert rollout.plan.findings["verdict"] == "not enough data"


def test_differences_metrics_and_safety_are_to_the_slice_alone() -> None:
    rollouts = []
    for rest in (None, variant(40_000, 40)):
        rollouts.append(at_first_step(guardrails=Guardrails(metrics={"clicked": 0.05})))
        rollouts[-1].sees(variant(4000, 4), variant(4000, 6), rest)
    errors, clicked = zip(*(each.after(1).findings["guardrails"] for each in rollouts), strict=True)
    assert clicked[0] == clicked[1]
    assert "whole_control" not in clicked[1]
    for name in ("control", "harm", "harm_upper", "units", "verdict"):
        assert errors[0][name] == errors[1][name]
    assert errors[0]["whole_control"] != errors[1]["whole_control"]


def test_requests_that_are_each_drawn_anew_are_tested_by_the_weights() -> None:
    rollout = at_first_step(draw="request")
    rollout.sees(variant(60, 4, failing_units=1), variant(60), rest=variant(1080, 2))
    assert rollout.after(1).findings["verdict"] == "harm"


@pytest.mark.parametrize("failed", [1, 2, 3, 15])
def test_thirty_requests_in_all_wait_even_if_all_of_the_candidates_fail(failed: int) -> None:
    for requests in (failed, 15):
        rollout = at_first_step()
        slice_ = variant(min(requests, 15))
        rollout.sees(variant(requests, failed), slice_, rest=variant(30 - requests - slice_.requests or 1))
        for _ in range(100):
            assert rollout.after(3600).findings["verdict"] == "not enough data"
            assert rollout.phase == "Progressing"


def test_too_little_data_waits_however_bad_it_looks_and_however_long() -> None:
    rollout = at_first_step()
    rollout.sees(variant(15, 2), variant(15, 0), rest=variant(270, 4))
    for _ in range(100):
        rollout.after(3600)
        assert rollout.phase == "Progressing"
        assert rollout.plan.findings["verdict"] == "not enough data"


def test_what_one_unit_does_to_itself_is_no_harm() -> None:
    rollout = at_first_step()
    rollout.sees(variant(800, 40, failing_units=1), variant(800, 1))
    assert rollout.after(1).findings["verdict"] == "not enough data"
    rollout.sees(variant(800, 40, failing_units=1), variant(800, 1), rest=variant(14_400, 18))
    assert rollout.after(1).findings["verdict"] == "not enough data"
    rollout.sees(variant(800, 40), variant(800, 1))
    assert rollout.after(1).findings["verdict"] == "harm"


def test_harm_within_the_margin_is_no_harm() -> None:
    rollout = at_first_step(guardrails=Guardrails(errors=0.2))
    rollout.sees(variant(2000, 100), variant(2000, 2))
    assert rollout.after(1).findings["verdict"] == "safe"


def test_epochs_are_never_pooled() -> None:
    """The candidate has its traffic mostly when everything fails: pooled it looks five times as bad."""
    rollout = at_first_step(steps=(Step(5, timedelta(0), 0), Step(50, timedelta(0), 0)))
    rollout.sees(variant(2000, 2), variant(2000, 2))
    rollout.after(1)
    assert rollout.plan.findings["step"] == 2
    rollout.epochs[1][2]["baseline"] = variant(40_000, 40)
    rollout.sees(variant(20_000, 1000), variant(2000, 100))
    rollout.after(1)
    found = rollout.plan.findings["guardrails"][0]
    assert found["candidate"] > 5 * found["control"]
    assert rollout.plan.findings["verdict"] != "harm"


@pytest.mark.parametrize(("goal", "harmed"), [("increase", "safe"), ("decrease", "harm")])
def test_a_metric_is_judged_in_its_direction(goal: Any, harmed: str) -> None:
    metric = MetricSpec("clicked", "binary", goal, margin=0.05, guardrail=True)
    rollout = at_first_step(of_experiment=(metric,), guardrails=Guardrails(errors=None))
    fewer = variant(1000)
    none = ObservedVariant(fewer.units, 1000, 0, fewer.errors, {}, {"clicked": fewer.errors})
    rollout.sees(fewer, none)  # the candidate has clicks, the control has none
    assert rollout.after(1).findings["verdict"] == harmed


def test_latency_over_a_limit_is_watched() -> None:
    rails = Guardrails(errors=None, latency=(LatencyGuardrail(timedelta(milliseconds=500), 0.02),))
    rollout = at_first_step(guardrails=rails)
    assert rollout.policy.latency_limits == (0.5,)
    rollout.sees(variant(800, slow=60), variant(800, slow=2))
    assert rollout.after(1).findings["phase"] == "Failed"
    assert "latency over 0.5 s" in rollout.plan.why


@pytest.mark.parametrize(
    ("rule", "phase"), [("hold", "Paused"), ("rollback", "Failed"), ("promote", "Promoting")]
)
def test_a_deadline_has_a_rule(rule: Any, phase: str) -> None:
    rollout = at_first_step(deadline=timedelta(minutes=5), on_deadline=rule)
    assert rollout.after(299).findings["phase"] == "Progressing"
    assert rollout.after(1).findings["phase"] == phase
    assert "the deadline of 300 s has passed" in rollout.plan.why


def test_a_paused_one_goes_on_when_it_is_told_and_has_its_time_anew() -> None:
    rollout = at_first_step(deadline=timedelta(minutes=5))
    rollout.after(301)
    assert rollout.phase == "Paused"
    assert rollout.plan.weights["challenger"] == 5.0
    rollout.told("confirm")
    assert rollout.phase == "Progressing"
    assert rollout.after(299).findings["phase"] == "Progressing"
    assert rollout.after(1).findings["phase"] == "Paused"
    rollout.sees(variant(400, 40), variant(400, 1))
    assert rollout.after(1).findings["phase"] == "Failed"


@pytest.mark.parametrize(("rule", "phase"), [("hold", "Paused"), ("rollback", "Failed")])
def test_silence_has_a_rule(rule: Any, phase: str) -> None:
    rollout = at_first_step(silence=timedelta(seconds=30), on_silence=rule)
    heard = {"last_request": {"challenger": rollout.now + 20}}
    assert rollout.after(29, heard).findings["phase"] == "Progressing"
    assert rollout.after(20, heard).findings["phase"] == "Progressing"
    assert rollout.after(1, heard).findings["phase"] == phase


def test_gates_wait_for_an_operator() -> None:
    rollout = Rollout(confirm=(1, "promotion"))
    assert rollout.after(1).findings["phase"] == "Waiting"
    assert rollout.plan.weights["challenger"] == 0.0
    assert rollout.after(10_000).findings["gate"] == "1"
    assert rollout.told("confirm").weights["challenger"] == 5.0
    for _ in range(2):
        rollout.sees(MUCH)
        rollout.after(11)
    assert rollout.phase == "WaitingPromotion"
    assert rollout.after(10_000).weights["challenger"] == 25.0
    assert "waits for an operator to confirm promotion" in rollout.plan.why
    assert rollout.told("confirm").weights["challenger"] == 100.0


def test_harm_does_not_wait_at_a_gate() -> None:
    rollout = at_first_step(confirm=(2,))
    rollout.sees(MUCH)
    assert rollout.after(11).findings["phase"] == "Waiting"
    rollout.sees(variant(4000, 300), variant(4000, 4))
    assert rollout.after(1).findings["phase"] == "Failed"


def test_words() -> None:
    rollout = at_first_step()
    with pytest.raises(ValueError, match="Progressing, where confirm means nothing"):
        rollout.told("confirm")
    assert rollout.told("promote").weights["challenger"] == 100.0
    assert rollout.told("abort").weights["challenger"] == 0.0
    assert rollout.phase == "Failed"
    for word in ("confirm", "promote", "abort"):
        with pytest.raises(ValueError, match="Failed, where"):
            rollout.told(word)


def hooks(*types: HookType) -> tuple[Webhook, ...]:
    return tuple(Webhook(each, each, "http://127.0.0.1:1/") for each in types)


def test_no_operator_opens_a_gate_that_waits_for_webhooks_alone() -> None:
    rollout = Rollout(webhooks=hooks("confirm-rollout"))
    assert "waits for the confirm-rollout webhooks" in rollout.after(1).why
    with pytest.raises(ValueError, match="waits for webhooks, not for an operator"):
        rollout.told("confirm")


def test_one_that_has_taken_over_goes_on_saying_so() -> None:
    rollout = at_first_step()
    rollout.told("promote")
    assert [rollout.after(1).why for _ in range(4)][2:] == ["the candidate has taken over"] * 2
    assert rollout.plan.progress["phase"] == "Succeeded"


def test_webhooks_are_asked_when_it_is_their_turn_and_their_answers_count() -> None:
    rollout = Rollout(
        webhooks=hooks("confirm-rollout", "pre-rollout", "confirm-traffic-increase", "confirm-promotion")
        + hooks("rollout", "rollback", "post-rollout", "event")
    )

    def ask(seconds: float = 11, **answers: bool) -> tuple[Any, ...]:
        named = {each.replace("__", ":").replace("_", "-"): yes for each, yes in answers.items()}
        rollout.sees(MUCH)
        rollout.after(seconds, {"answers": named})
        return rollout.phase, rollout.plan.findings["step"], rollout.plan.findings["asks"]

    first = ["confirm-rollout:1", "pre-rollout:1", "rollback:0"]
    assert ask() == ("Waiting", 0, first)
    assert ask(confirm_rollout__1=False) == ("Waiting", 0, first)
    assert ask(confirm_rollout__1=True) == ("Waiting", 0, first)
    both = {"confirm_rollout__1": True, "pre_rollout__1": True}
    assert ask(**both) == ("Progressing", 1, ["rollout:1", "rollback:1"])
    assert ask(rollout__1=False)[:2] == ("Progressing", 1)
    assert ask(rollout__1=True) == ("Waiting", 1, ["confirm-traffic-increase:2", "rollback:1"])
    assert ask(confirm_traffic_increase__2=True)[:2] == ("Progressing", 2)
    assert ask(rollout__2=True)[:1] == ("WaitingPromotion",)
    assert ask(confirm_promotion__promotion=True)[:1] == ("Promoting",)
    assert ask() == ("Finalising", 2, ["post-rollout:Finalising"])
    assert ask(post_rollout__Finalising=False)[:1] == ("Succeeded",)


def test_a_webhook_can_roll_back_and_refuse_the_beginning() -> None:
    rollout = at_first_step(webhooks=hooks("rollback"))
    assert rollout.after(1, {"answers": {"rollback:1": False}}).findings["phase"] == "Progressing"
    assert rollout.after(1, {"answers": {"rollback:1": True}}).findings["phase"] == "Failed"
    rollout = Rollout(webhooks=hooks("pre-rollout"))
    rollout.after(1)
    assert rollout.after(1, {"answers": {"pre-rollout:1": False}}).findings["phase"] == "Failed"


def test_nothing_new_is_nothing_to_remember() -> None:
    rollout = at_first_step()
    rollout.sees(MUCH)
    first = rollout.after(1).progress
    assert rollout.after(1).progress == first
    assert SERVICE not in first


@pytest.mark.parametrize(
    ("weights", "parameters", "said"),
    [
        ({"champion": 1.0}, {}, "0 variants beside the control; allowed: exactly one"),
        ({**WRITTEN, "third": 1.0}, {}, "2 variants beside the control"),
        (WRITTEN, {"baseline": "challenger"}, "is a variant's name"),
        (WRITTEN, {"guardrails": Guardrails(errors=None)}, "nothing is watched"),
        (WRITTEN, {"guardrails": Guardrails(metrics={"bought": 0.1})}, "no metric 'bought'"),
    ],
)
def test_what_does_not_go_together_is_refused(
    weights: dict[str, float], parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Canary(Allocation("salt", weights, "champion"), CanaryParameters(**parameters))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"steps": ()}, "steps is empty"),
        ({"steps": (Step(50), Step(25))}, "25 % follows one of 50 %"),
        ({"confirm": (4,)}, "confirm has 4; allowed: 1, 2, 3, promotion"),
        ({"confirm": ("promoted",)}, "confirm has 'promoted'"),
        ({"alpha": 0.7}, "alpha is 0.7"),
        ({"deadline": timedelta(0)}, "deadline is not above 0"),
        ({"baseline": "a b"}, "baseline is 'a b'"),
        ({"interval": timedelta(milliseconds=1)}, "interval is too short"),
        ({"tuning_units": 0}, "tuning_units is 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CanaryParameters(**parameters)


def test_steps_and_margins_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="weight is 100"):
        Step(100)
    with pytest.raises(ValueError, match="allowed: a margin above 0"):
        Guardrails(errors=0.0)
    for url in ("ftp://h", "http://", "http://h:99999/", "http://h:port/", "http://["):
        with pytest.raises(ValueError, match="allowed: http://HOST/PATH"):
            Webhook("n", "event", url)
