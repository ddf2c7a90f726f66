"""What has happened to a canary, of all that may have, since its last plan?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from policies.canary.findings import UNSURE, Finding, Verdict
from policies.canary.parameters import CanaryParameters
from policies.canary.place import Place, gate_questions, questions
from policies.canary.transitions import Event

NOTHING_SEEN = Verdict(UNSURE, ())


@dataclass(frozen=True, slots=True)
class Seen:
    """What a plan is made by: the verdict; the candidate's units in this step and when its last request was
    (unix seconds); and the webhooks' answers by question."""

    verdict: Verdict = NOTHING_SEEN
    units: float = 0.0
    last_request: float = 0.0
    answers: Mapping[str, bool] | None = None

    def says(self, question: str) -> bool | None:
        """The answer to a question; None while there is none."""
        return (self.answers or {}).get(question)


def decide(place: Place, parameters: CanaryParameters, seen: Seen, now: float) -> tuple[Event, str]:
    """The event that weighs most, and why, in one line; ``wait`` says what is waited for."""
    for event, why in _urgent(place, parameters, seen, now):
        return event, why
    if place.phase == "Initializing":
        shut = closed(place, parameters, seen)
        return ("gated", shut) if shut else ("ready", "the rollout begins")
    if place.phase == "Progressing":
        return _progress(place, parameters, seen, now)
    if place.phase in ("Waiting", "WaitingPromotion"):
        shut = closed(place, parameters, seen)
        return ("wait", shut) if shut else ("open", "the gate is open")
    if place.phase == "Promoting":
        return "ready", "all of the traffic is the candidate's"
    if place.phase == "Finalising":
        asked = questions(place, parameters)
        if any(seen.says(each) is None for each in asked):
            return "wait", "waits for the post-rollout webhooks"
        return "ready", "the candidate has taken over"
    return "wait", place.ended


def _urgent(
    place: Place, parameters: CanaryParameters, seen: Seen, now: float
) -> Iterator[tuple[Event, str]]:
    """What does not ask how far a step has come."""
    if place.told == "abort":
        yield "abort", "an operator rolled it back"
    if place.told == "promote":
        yield "promote", "an operator promoted it"
    if place.told == "confirm" and place.phase == "Paused":
        yield "resume", "an operator resumed it"
    if place.exposed and seen.verdict.word == "harm":
        yield "harm", f"harm: {worse(seen.verdict.worst())}"
    for each in questions(place, parameters):
        if each.startswith("rollback:") and seen.says(each):
            yield "abort", "a rollback webhook said so"
        if each.startswith("pre-rollout:") and seen.says(each) is False:
            yield "abort", "a pre-rollout webhook did not say yes"
    if not place.exposed or place.phase == "Paused":
        return
    if parameters.deadline is not None:
        limit = parameters.deadline.total_seconds()
        if now - place.patience >= limit:
            yield _BY_RULE[parameters.on_deadline], f"the deadline of {limit:g} s has passed"
    if parameters.silence is not None:
        limit = parameters.silence.total_seconds()
        if now - max(seen.last_request, place.since, place.patience) >= limit:
            yield _BY_RULE[parameters.on_silence], f"no request to the candidate for {limit:g} s"


_BY_RULE: Mapping[Literal["hold", "rollback", "promote"], Event] = {
    "hold": "hold",
    "rollback": "abort",
    "promote": "promote",
}


def _progress(place: Place, parameters: CanaryParameters, seen: Seen, now: float) -> tuple[Event, str]:
    lacks = list(_lacking(place, parameters, seen, now))
    if lacks:
        return "wait", "waits: " + "; ".join(lacks)
    last = place.step == len(parameters.steps)
    shut = closed(place, parameters, seen)
    if shut:
        return ("last gated" if last else "gated"), shut
    return ("last" if last else "ready"), f"safe at {parameters.steps[place.step - 1].weight:g} %"


def _lacking(place: Place, parameters: CanaryParameters, seen: Seen, now: float) -> Iterator[str]:
    """What a step still needs before the next."""
    step = parameters.steps[place.step - 1]
    for finding in seen.verdict.findings:
        if finding.verdict != "safe":
            yield f"{finding.name} is not known to be safe yet"
    if not seen.verdict.findings:
        yield "nothing is known yet"
    left = step.min_duration.total_seconds() - (now - place.since)
    if left > 0:
        yield f"the step lasts {left:.0f} s more"
    if seen.units < step.min_units:
        yield f"{seen.units:.0f} of {step.min_units} units"
    for each in questions(place, parameters):
        if each.startswith("rollout:") and not seen.says(each):
            yield "a rollout webhook has not said yes"


def closed(place: Place, parameters: CanaryParameters, seen: Seen) -> str:
    """Why the gate before what comes next is closed; empty where it is open."""
    gate = place.next_gate(parameters)
    named = f"step {gate}" if isinstance(gate, int) else gate
    if gate in parameters.confirm and gate not in place.opened:
        return f"waits for an operator to confirm {named}"
    types = {hook.type for hook in parameters.webhooks}
    for question in gate_questions(gate):
        kind = question.partition(":")[0]
        if kind in types and not seen.says(question):
            return f"waits for the {kind} webhooks"
    return ""


def worse(finding: Finding) -> str:
    """By what a candidate is worse than what it was tested against, for a reader."""
    tested = ("control", finding.control)
    if finding.whole_control is not None:
        tested = ("all of the control", finding.whole_control)
    numbers = ", ".join(
        f"{name} {value:.4g}"
        for name, value in (("candidate", finding.candidate), tested)
        if value is not None
    )
    return f"{finding.name} ({numbers}; p {finding.p_value:.2g}, margin {finding.margin:g})"
