"""A canary: more and more traffic for a candidate while it is not known to harm, and none once it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from policies.canary.decision import Seen, decide
from policies.canary.findings import shown
from policies.canary.methods import LATEST, find_method
from policies.canary.parameters import CanaryParameters
from policies.canary.place import Place, questions
from policies.canary.transitions import Event, Phase, following
from policies.plan import Plan
from policies.policy import Allocation, Policy
from policies.steering import SERVICE, Webhook, Word

if TYPE_CHECKING:
    from numpy.random import Generator

    from policies.canary.pairs import Guardrail
    from policies.statistics.observed import Observed, ObservedMetric, ObservedVariant

# In these it stays until somebody says a word, and goes on saying why it came there.
_STANDS: Final[tuple[Phase, ...]] = ("Failed", "Paused", "Succeeded")


@dataclass(frozen=True, slots=True)
class Canary:
    """Takes a candidate up by steps that each were found safe; rolls it back at once where it harms.

    Too little data waits, and never rolls back. The weights as written do not matter.
    """

    kind: ClassVar[str] = "canary"
    Parameters: ClassVar[type[CanaryParameters]] = CanaryParameters

    allocation: Allocation
    parameters: CanaryParameters

    def __post_init__(self) -> None:
        names = [name for name in self.allocation.weights if name != self.allocation.control]
        if len(names) != 1:
            raise ValueError(f"{len(names)} variants beside the control; allowed: exactly one, the candidate")
        if self.parameters.baseline in self.allocation.weights:
            raise ValueError(
                f"baseline {self.parameters.baseline!r} is a variant's name; allowed: another one"
            )
        margins = self._margins()
        for name in margins:
            self.allocation.metric(name)
        rails = self.parameters.guardrails
        if rails.errors is None and not rails.latency and not margins:
            raise ValueError("nothing is watched; allowed: errors, latency or metrics in guardrails")

    @property
    def interval(self) -> float | None:
        """As configured."""
        return self.parameters.interval.total_seconds()

    @property
    def latency_limits(self) -> tuple[float, ...]:
        """Those of the guardrails."""
        return tuple(each.limit.total_seconds() for each in self.parameters.guardrails.latency)

    @property
    def webhooks(self) -> tuple[Webhook, ...]:
        """Those of the configuration."""
        return self.parameters.webhooks

    def since(self, progress: Mapping[str, Any]) -> float:
        """What was before the rollout does not matter."""
        return float(progress["began"]) if progress else 0.0

    def told(self, word: Word, progress: Mapping[str, Any], now: float) -> Mapping[str, Any]:
        """The place after an operator's word."""
        place = Place.read(progress)
        live = ("Initializing", "Waiting", "Progressing", "WaitingPromotion", "Paused")
        fits = {
            "confirm": ("Waiting", "WaitingPromotion", "Paused"),
            "promote": live,
            "abort": (*live, "Promoting", "Finalising", "Succeeded"),
        }
        if place.phase not in fits[word]:
            allowed = ", ".join(fits[word])
            raise ValueError(
                f"the canary is {place.phase}, where {word} means nothing; allowed in: {allowed}"
            )
        if word == "confirm" and place.phase != "Paused":
            gate = place.next_gate(self.parameters)
            if gate not in self.parameters.confirm:
                raise ValueError(
                    "the canary waits for webhooks, not for an operator; allowed: promote, abort"
                )
            return replace(place, opened=tuple(dict.fromkeys((*place.opened, gate)))).progress()
        return replace(place, told=word).progress()

    def plan(
        self, observed: Observed | None, now: float, rng: Generator | None, progress: Mapping[str, Any]
    ) -> Plan:
        """The weights of the phase and step that follow from what was seen."""
        if not progress:
            place = Place("Initializing", 0, began=now, since=now, patience=now, method=LATEST.number)
            return self._planned(place, "the candidate waits for the planner", {})
        before = Place.read(progress)
        seen = self._seen(before, observed, progress.get(SERVICE, {}))
        event, why = decide(before, self.parameters, seen, now)
        place = self._moved(before, event, why, now)
        if place.step != before.step:
            why = f"step {place.step} of {len(self.parameters.steps)}: {why}"
        return self._planned(place, why, self._findings(place, seen))

    def _seen(self, place: Place, observed: Observed | None, service: Mapping[str, Any]) -> Seen:
        answers = service.get("answers", {})
        if observed is None:
            return Seen(answers=answers)
        from policies.canary.pairs import Setting
        from policies.canary.verdict import judge  # takes scipy, which only a planner has

        method = find_method(place.method)
        control = self.parameters.baseline or self.allocation.control
        # The slice is a copy of the control's (`_planned`): the same backend serves it and the rest.
        whole = tuple(dict.fromkeys((self.allocation.control, control)))
        setting = Setting(
            candidate=self._candidate,
            control=control,
            tested=whole if method.whole_control else (control,),
            draw=self.parameters.draw,
            alpha=self.parameters.alpha,
            tuning_units=self.parameters.tuning_units,
            method=method,
        )
        in_step = [
            epoch.variants[self._candidate].units
            for epoch in observed.since(place.since)
            if self._candidate in epoch.variants
        ]
        return Seen(
            verdict=judge(observed.since(place.began), self._guardrails(), setting),
            units=sum(in_step),
            last_request=float(service.get("last_request", {}).get(self._candidate, 0.0)),
            answers=answers,
        )

    def _moved(self, place: Place, event: Event, why: str, now: float) -> Place:
        """Where an event leads."""
        phase = following(place.phase, event)
        moved = replace(place, phase=phase, told=None)
        if phase == "Progressing" and event in ("ready", "open"):
            patience = place.patience if place.step else now
            return replace(moved, step=place.step + 1, since=now, patience=patience)
        if event == "resume":
            return replace(moved, patience=now, ended="")
        return replace(moved, ended=why) if phase != place.phase and phase in _STANDS else moved

    def _planned(self, place: Place, why: str, findings: Mapping[str, Any]) -> Plan:
        candidate, control = self._candidate, self.allocation.control
        weight = place.candidate_weight(self.parameters)
        weights = {control: 100.0 - weight, candidate: weight}
        copies: dict[str, str] = {}
        baseline = self.parameters.baseline
        if baseline is not None:
            # As large as the candidate's, as far as there is so much left.
            slice_ = min(weight, 100.0 - weight)
            weights |= {control: 100.0 - weight - slice_, baseline: slice_}
            copies = {baseline: control}
        return Plan(
            self.allocation.salt,
            weights,
            copies,
            self.parameters.draw,
            why=why,
            findings=findings,
            progress=place.progress(),
        )

    def _findings(self, place: Place, seen: Seen) -> dict[str, Any]:
        waiting = place.phase in ("Waiting", "WaitingPromotion")
        return {
            "phase": place.phase,
            "step": place.step,
            "steps": len(self.parameters.steps),
            "weight": place.candidate_weight(self.parameters),
            "verdict": seen.verdict.word,
            "guardrails": [dict(shown(each)) for each in seen.verdict.findings],
            "units": seen.units,
            "gate": str(place.next_gate(self.parameters)) if waiting else None,
            "asks": list(questions(place, self.parameters)),
        }

    @property
    def _candidate(self) -> str:
        return next(name for name in self.allocation.weights if name != self.allocation.control)

    def _margins(self) -> dict[str, float]:
        """The metrics to watch, with their margins."""
        given = self.parameters.guardrails.metrics
        if given is not None:
            return dict(given)
        return {
            each.name: each.margin
            for each in self.allocation.metrics
            if each.guardrail and each.margin is not None
        }

    def _guardrails(self) -> tuple[Guardrail, ...]:
        from policies.canary.pairs import Guardrail

        rails = self.parameters.guardrails
        found = []
        if rails.errors is not None:
            found.append(Guardrail("errors", rails.errors, -1, True, True, attrgetter("errors")))
        for latency in rails.latency:
            limit = latency.limit.total_seconds()
            of = partial(_slow, limit)
            found.append(Guardrail(f"latency over {limit:g} s", latency.margin, -1, True, True, of))
        for name, margin in self._margins().items():
            metric = self.allocation.metric(name)
            binary = metric.kind == "binary"
            found.append(Guardrail(name, margin, metric.sign, binary, False, partial(_metric, name)))
        return tuple(found)


def _slow(limit: float, variant: ObservedVariant) -> ObservedMetric | None:
    return variant.slow.get(limit)


def _metric(name: str, variant: ObservedVariant) -> ObservedMetric | None:
    return variant.metrics.get(name)


POLICY: type[Policy] = Canary
