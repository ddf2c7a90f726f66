"""Where is a canary on its way: what does it remember from one plan to the next?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from policies.canary.methods import FIRST
from policies.canary.parameters import PROMOTION, CanaryParameters
from policies.canary.transitions import Phase
from policies.steering import Word

Gate = int | Literal["promotion"]


@dataclass(frozen=True, slots=True)
class Place:
    """The phase, and the step from 1, 0 before the first. All moments are unix seconds.

    ``began`` is when the rollout did, ``since`` when the step did; from ``patience`` on the deadline and
    silence count: from the first step, and anew when an operator resumes. ``opened`` are the gates that an
    operator opened, ``told`` a word that has not been acted on, and ``ended`` says why the rollout failed,
    was paused or has succeeded. ``method`` is the number of the one that the rollout is judged by.
    """

    phase: Phase
    step: int
    began: float
    since: float
    patience: float
    opened: tuple[Gate, ...] = ()
    told: Word | None = None
    ended: str = ""
    method: int = FIRST.number

    @classmethod
    def read(cls, progress: Mapping[str, Any]) -> Place:
        """From what a plan's progress kept; one that names no method is of a rollout under the first."""
        known = {name: progress[name] for name in cls.__slots__ if name != "method"}
        known["method"] = progress.get("method", FIRST.number)
        return cls(**{**known, "opened": tuple(progress["opened"])})

    def progress(self) -> dict[str, Any]:
        """As JSON's types, what `read` takes; the first method had no number there, and has none."""
        kept = {**asdict(self), "opened": list(self.opened)}
        if self.method == FIRST.number:
            del kept["method"]
        return kept

    def next_gate(self, parameters: CanaryParameters) -> Gate:
        """The gate before what comes next: a step's number, or the promotion's."""
        return self.step + 1 if self.step < len(parameters.steps) else PROMOTION

    @property
    def exposed(self) -> bool:
        """Whether the candidate has a step's traffic, and so is watched."""
        return self.step > 0 and self.phase in ("Waiting", "Progressing", "WaitingPromotion", "Paused")

    def candidate_weight(self, parameters: CanaryParameters) -> float:
        """The candidate's traffic in percent."""
        if self.phase in ("Promoting", "Finalising", "Succeeded"):
            return 100.0
        return float(parameters.steps[self.step - 1].weight) if self.exposed else 0.0


def questions(place: Place, parameters: CanaryParameters) -> tuple[str, ...]:
    """What is to be asked of webhooks now, as ``TYPE:SUBJECT``; only of types that there are."""
    types = {hook.type for hook in parameters.webhooks}
    asked: list[str] = []
    if place.phase in ("Initializing", "Waiting", "WaitingPromotion"):
        asked += gate_questions(place.next_gate(parameters))
    if place.phase == "Progressing":
        asked.append(f"rollout:{place.step}")
    if place.phase in ("Waiting", "Progressing", "WaitingPromotion", "Paused"):
        asked.append(f"rollback:{place.step}")
    if place.phase in ("Finalising", "Failed"):
        asked.append(f"post-rollout:{place.phase}")
    return tuple(each for each in asked if each.partition(":")[0] in types)


def gate_questions(gate: Gate) -> tuple[str, ...]:
    """What is asked at a gate, in this order."""
    if gate == PROMOTION:
        return (f"confirm-promotion:{gate}",)
    return ("confirm-rollout:1", "pre-rollout:1") if gate == 1 else (f"confirm-traffic-increase:{gate}",)
