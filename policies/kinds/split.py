"""A split: the weights stay as the operator wrote them, whatever the evidence says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from policies.plan import Plan
from policies.policy import Allocation, Policy

if TYPE_CHECKING:
    from numpy.random import Generator

    from policies.statistics.evidence import ExperimentEvidence


@dataclass(frozen=True, slots=True)
class SplitParameters:
    """A split has none beside its weights."""


@dataclass(frozen=True, slots=True)
class Split:
    """Shares in proportion to the weights, from start to end."""

    kind: ClassVar[str] = "split"
    Parameters: ClassVar[type[SplitParameters]] = SplitParameters

    allocation: Allocation
    parameters: SplitParameters

    def plan(self, evidence: ExperimentEvidence | None, now: float, rng: Generator) -> Plan:
        """The operator's weights; raises `ValueError` where none is positive."""
        return Plan(self.allocation.salt, self.allocation.weights)


POLICY: type[Policy] = Split
