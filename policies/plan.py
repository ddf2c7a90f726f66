"""What does a policy hand to the requests?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum
from typing import Literal, NamedTuple

Reason = Literal["split", "static", "targeting_match", "default", "stale", "error"]


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
    """

    salt: str
    weights: Mapping[str, float]
    arms: tuple[Arm, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if not 0 <= weight < float("inf"):
                raise ValueError(f"weight of {name!r} is {weight!r}; allowed: a finite number, 0 or more")
        total = fsum(self.weights.values())
        if not total > 0:
            raise ValueError("no variant has a positive weight; allowed: at least one")
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
