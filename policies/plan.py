"""What does a policy hand to the requests?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum
from typing import Any, Literal, NamedTuple

Reason = Literal["split", "static", "targeting_match", "default", "stale", "error"]
Draw = Literal["unit", "request"]


@dataclass(frozen=True, slots=True)
class Decision:
    """One variant, the probability with which the plan assigns it, and why (OpenFeature's vocabulary)."""

    variant: str
    propensity: float
    reason: Reason


class Arm(NamedTuple):
    """A variant that can be assigned, with what every request would otherwise compute again."""

    prefix: bytes
    weight: float
    decision: Decision


@dataclass(frozen=True, slots=True)
class Plan:
    """The allocation in force during one epoch: weights by variant, under one salt.

    ``weights`` are relative and not negative, at least one positive; a variant of weight 0 is paused: it is
    known, and never assigned. ``arms`` are those that can be, in the order of their names, so that two
    processes with the same weights agree to the last unit.

    ``copies``: a variant that is served by another one's backend (a canary's baseline slice by the
    control's). ``draw``: whether a unit keeps its variant, or every request draws anew. ``rule`` is what a
    plan needs beside the weights to decide by a request's own features, None for one that does not.

    The rest is the policy's own, for whoever asks later: ``why`` it decided so, in one line; the
    ``findings`` that it decided by; and the ``progress`` that it is given back the next time. All are of
    JSON's types.
    """

    salt: str
    weights: Mapping[str, float]
    copies: Mapping[str, str] = field(default_factory=dict)
    draw: Draw = "unit"
    rule: Mapping[str, Any] | None = None
    why: str = ""
    findings: Mapping[str, Any] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)
    arms: tuple[Arm, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if not 0 <= weight < float("inf"):
                raise ValueError(f"weight of {name!r} is {weight!r}; allowed: a finite number, 0 or more")
        # As plain floats: a policy may have computed them with another library's, which no JSON takes.
        object.__setattr__(self, "weights", {name: float(weight) for name, weight in self.weights.items()})
        total = fsum(self.weights.values())
        if not total > 0:
            raise ValueError("no variant has a positive weight; allowed: at least one")
        for copy, original in self.copies.items():
            if copy not in self.weights or original not in self.weights:
                raise ValueError(f"{copy!r} copies {original!r}; allowed: variants that have a weight")
        alive = sorted(name for name, weight in self.weights.items() if weight > 0)
        reason: Reason = "split" if len(alive) > 1 else "static"
        arms = tuple(
            Arm(
                prefix=f"{self.salt}.{name}.".encode(),
                weight=self.weights[name],
                decision=Decision(name, self.weights[name] / total, reason),
            )
            for name in alive
        )
        object.__setattr__(self, "arms", arms)
