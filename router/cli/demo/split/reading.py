"""What does the report say so far, of all that the split's demo shows and checks?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from router.cli.demo.configuration import CHALLENGER, METRIC
from router.cli.demo.counting import Counts, read_counted


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
class Reading(Counts):
    """One reading of the report; ``no_effect`` says why there is no effect where there is none."""

    effect: Effect | None = None
    no_effect: str = "nothing was counted yet"
    sample_ratio: str = "not yet"


def read_report(report: Mapping[str, Any]) -> Reading:
    """The reading of a report's JSON, as ``GET /api/v1/experiments/NAME/report`` answers it."""
    compared = next(
        (each for each in report["effects"] if (each["metric"], each["variant"]) == (METRIC, CHALLENGER)),
        None,
    )
    check = next(each for each in report["checks"] if each["name"] == "sample_ratio_sequential")
    p_value = "" if check["p_value"] is None else f" (p {check['p_value']:.2g})"
    reading = Reading(read_counted(report), sample_ratio=f"{check['message']}{p_value}")
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
