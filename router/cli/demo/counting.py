"""How many users, requests and outcomes has the report counted, of each variant?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from router.cli.demo.configuration import METRIC


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted for one variant: users, requests, and outcomes with the number that were right."""

    users: float = 0.0
    requests: int = 0
    outcomes: int = 0
    right: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """All variants' counts, by name."""

    counted: Mapping[str, Counted] = field(default_factory=dict)

    def users(self, variant: str) -> float:
        """How many distinct users were counted for a variant."""
        return self.counted.get(variant, Counted()).users

    def requests(self, variant: str) -> int:
        """How many requests were counted for a variant."""
        return self.counted.get(variant, Counted()).requests

    def outcomes(self, variant: str) -> tuple[int, int]:
        """How many outcomes were counted for a variant, and how many of them were right."""
        counted = self.counted.get(variant, Counted())
        return counted.outcomes, counted.right

    def share(self, variant: str) -> float:
        """A variant's share of the users, who are what is split; 0 before the first."""
        total = sum(counted.users for counted in self.counted.values())
        return self.users(variant) / total if total else 0.0

    def accuracy(self, variant: str) -> str:
        """The share of a variant's answers that were right, to be shown."""
        outcomes, right = self.outcomes(variant)
        return f"{right / outcomes:.4f}" if outcomes else "-"


def read_counted(report: Mapping[str, Any]) -> dict[str, Counted]:
    """By variant, from a report's JSON, as ``GET /api/v1/experiments/NAME/report`` answers it."""
    return {variant["name"]: _counted(variant) for variant in report["variants"]}


def _counted(variant: Mapping[str, Any]) -> Counted:
    metric = next((each for each in variant["metrics"] if each["metric"] == METRIC), None)
    if metric is None or metric["mean"] is None:
        return Counted(variant["units"], variant["requests"])
    # Both were whole numbers before the report divided one by the other.
    outcomes, right = round(metric["count"]), round(metric["count"] * metric["mean"])
    return Counted(variant["units"], variant["requests"], outcomes, right)
