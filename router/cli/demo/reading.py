"""What does the report say so far, of all that the demo shows and checks?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Effect:
    """The challenger's mean minus the champion's, and its interval at ``confidence``."""

    estimate: float
    lower: float
    upper: float
    confidence: float

    def describe(self) -> str:
        """The interval in words."""
        return f"{self.confidence:.0%} interval {self.lower:+.4f} to {self.upper:+.4f}"


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted for one variant: requests, and outcomes with the number that were right."""

    requests: int = 0
    outcomes: int = 0
    right: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of the report; ``no_effect`` says why there is no effect where there is none."""

    counted: Mapping[str, Counted] = field(default_factory=dict)
    effect: Effect | None = None
    no_effect: str = "nothing was counted yet"
    p_value: float | None = None
    sample_ratio_p: float | None = None

    def requests(self, variant: str) -> int:
        """How many requests were counted for a variant."""
        return self.counted.get(variant, Counted()).requests

    def outcomes(self, variant: str) -> tuple[int, int]:
        """How many outcomes were counted for a variant, and how many of them were right."""
        counted = self.counted.get(variant, Counted())
        return counted.outcomes, counted.right

    def share(self, variant: str) -> float:
        """A variant's share of the requests, 0 before the first."""
        total = sum(counted.requests for counted in self.counted.values())
        return self.requests(variant) / total if total else 0.0


def read_report(report: dict[str, Any]) -> Reading:
    """The reading that a report's JSON gives."""
    raise NotImplementedError
