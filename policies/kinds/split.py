"""A split: the weights that the operator wrote, at once or by steps planned ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import fsum
from typing import TYPE_CHECKING, Any, ClassVar

from policies.plan import Plan
from policies.policy import Allocation, Policy

if TYPE_CHECKING:
    from numpy.random import Generator

    from policies.statistics.observed import Observed

_TICK = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """``weight`` percent of the traffic leave the control ``for`` some time."""

    weight: float
    lasts: timedelta = field(metadata={"name": "for"})

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 100:
            raise ValueError(f"weight is {self.weight:g}; allowed: 0 to 100, in percent")
        if not self.lasts > timedelta(0):
            raise ValueError("for is not above 0")


@dataclass(frozen=True, slots=True)
class SplitParameters:
    """``ramp``: steps before the weights as written are in force; the variants share what leaves the control
    in proportion to their weights. ``aa``: all variants are served by the control's backend, so that
    whatever differs is the service's own doing or chance.
    """

    ramp: tuple[Step, ...] = ()
    aa: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """Shares in proportion to the weights, whatever the evidence says."""

    kind: ClassVar[str] = "split"
    Parameters: ClassVar[type[SplitParameters]] = SplitParameters

    allocation: Allocation
    parameters: SplitParameters

    def __post_init__(self) -> None:
        weights = self.allocation.weights
        treatments = [weight for name, weight in weights.items() if name != self.allocation.control]
        if self.parameters.ramp and not fsum(treatments) > 0:
            raise ValueError("a ramp needs a variant beside the control with a positive weight")

    @property
    def interval(self) -> float | None:
        """Every second while there is a ramp to climb."""
        return _TICK if self.parameters.ramp else None

    @property
    def latency_limits(self) -> tuple[float, ...]:
        """None: a split looks at nothing."""
        return ()

    def plan(
        self, observed: Observed | None, now: float, rng: Generator | None, progress: Mapping[str, Any]
    ) -> Plan:
        """The weights of the step that ``now`` falls into; raises `ValueError` where none is positive."""
        began = float(progress.get("began", now))
        weights, why = self._weights(now - began)
        control = self.allocation.control
        copies = {name: control for name in weights if name != control} if self.parameters.aa else {}
        notes = {"began": began} if self.parameters.ramp else {}
        return Plan(self.allocation.salt, weights, copies, why=why, progress=notes)

    def _weights(self, elapsed: float) -> tuple[Mapping[str, float], str]:
        """The weights after so many seconds, and where on the ramp they stand."""
        weights, control = self.allocation.weights, self.allocation.control
        ramp = self.parameters.ramp
        for number, step in enumerate(ramp, start=1):
            elapsed -= step.lasts.total_seconds()
            if elapsed < 0:
                treated = fsum(weight for name, weight in weights.items() if name != control)
                shares = {name: step.weight * weight / treated for name, weight in weights.items()}
                shares[control] = 100.0 - step.weight
                return shares, f"ramp step {number} of {len(ramp)}: {step.weight:g} %"
        return weights, "ramp is complete" if ramp else ""


POLICY: type[Policy] = Split
