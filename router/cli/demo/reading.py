"""What does the report say so far, of all that the demo shows and checks?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from router.cli.demo.configuration import CHALLENGER, METRIC


@dataclass(frozen=True, slots=True)
class Effect:
    """The challenger's mean minus the champion's, with the interval on which the report's decisions rest.

    The interval is valid at every look and adjusted for the number of comparisons; ``level`` is its own.
    ``decision`` is the report's.
    """

    estimate: float
    lower: float
    upper: float
    level: float
    p_value: float | None
    decision: str


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted for one variant: users, requests, and outcomes with the number that were right."""

    users: float = 0.0
    requests: int = 0
    outcomes: int = 0
    right: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of the report; ``no_effect`` says why there is no effect where there is none."""

    counted: Mapping[str, Counted] = field(default_factory=dict)
    effect: Effect | None = None
    no_effect: str = "nothing was counted yet"
    sample_ratio: str = "not yet"

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


def read_report(report: Mapping[str, Any]) -> Reading:
    """The reading of a report's JSON, as ``GET /api/v1/experiments/NAME/report`` answers it."""
    counted = {variant["name"]: _counted(variant) for variant in report["variants"]}
    compared = next(
        (each for each in report["effects"] if (each["metric"], each["variant"]) == (METRIC, CHALLENGER)),
        None,
    )
    check = next(each for each in report["checks"] if each["name"] == "sample_ratio_sequential")
    p_value = "" if check["p_value"] is None else f" (p {check['p_value']:.2g})"
    reading = Reading(counted, sample_ratio=f"{check['message']}{p_value}")
    if compared is None:
        return reading
    interval = compared["adjusted"]
    if interval is None:
        return replace(reading, no_effect=compared["reason"])
    effect = Effect(
        estimate=compared["difference"],
        lower=-inf if interval["low"] is None else interval["low"],
        upper=inf if interval["high"] is None else interval["high"],
        level=interval["level"],
        p_value=interval["p_value"],
        decision=compared["decision"],
    )
    return replace(reading, effect=effect)


def _counted(variant: Mapping[str, Any]) -> Counted:
    metric = next((each for each in variant["metrics"] if each["metric"] == METRIC), None)
    if metric is None or metric["mean"] is None:
        return Counted(variant["units"], variant["requests"])
    # Both were whole numbers before the report divided one by the other.
    outcomes, right = round(metric["count"]), round(metric["count"] * metric["mean"])
    return Counted(variant["units"], variant["requests"], outcomes, right)
