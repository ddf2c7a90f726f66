"""Which numbers of the control and of the candidate are compared, epoch by epoch?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from policies.canary.methods import Method
from policies.statistics.means import Mean
from policies.statistics.observed import ObservedEpoch, ObservedMetric, ObservedVariant


@dataclass(frozen=True, slots=True)
class Guardrail:
    """What is watched: ``sign`` is -1 where less is better; ``share`` where values are 0 or 1.

    ``events`` says that the bad events' split is tested for harm; ``of`` picks the numbers.
    """

    name: str
    margin: float
    sign: int
    share: bool
    events: bool
    of: Callable[[ObservedVariant], ObservedMetric | None]


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds for all guardrails: who is compared, how units were drawn, the level, tuning and method.

    Differences are to ``control``; the events' split is over ``tested`` and the candidate. Both are served
    by the control's backend.
    """

    candidate: str
    control: str
    tested: tuple[str, ...]
    draw: Literal["unit", "request"]
    alpha: float
    tuning_units: float
    method: Method


@dataclass(frozen=True, slots=True)
class Pair:
    """A guardrail's numbers in one epoch, of the control or a part of it and of the candidate.

    ``shares`` are those of the traffic, of any sum.
    """

    control: ObservedMetric
    candidate: ObservedMetric
    units: float
    shares: tuple[float, float]


def pairs_of(
    epochs: Sequence[ObservedEpoch], guardrail: Guardrail, controls: Sequence[str], setting: Setting
) -> list[Pair]:
    """The epochs in which the candidate had something, and ``controls`` together."""
    found = []
    for epoch in epochs:
        candidate = epoch.variants.get(setting.candidate)
        parts = [epoch.variants[name] for name in controls if name in epoch.variants]
        if candidate is None or not parts:
            continue
        of_parts = [each for each in map(guardrail.of, parts) if each is not None and each.count > 0]
        b = guardrail.of(candidate)
        if not of_parts or b is None or not b.count > 0:
            continue
        a = together(of_parts)
        if setting.draw == "request":
            units = float(sum(part.requests for part in parts) + candidate.requests)
            shares = (sum(epoch.weights[name] for name in controls), epoch.weights[setting.candidate])
        else:
            units, shares = sum(part.units for part in parts) + candidate.units, (a.count, b.count)
        found.append(Pair(a, b, units, shares))
    return found


def together(parts: Sequence[ObservedMetric]) -> ObservedMetric:
    """One metric of several parts of the same variant's units, of which none is empty.

    The variance is that of the parts' weighted mean. A part of a single unit has none: all of its events are
    taken to have come at once.
    """
    if len(parts) == 1:
        return parts[0]
    count, total = sum(each.count for each in parts), sum(each.total for each in parts)
    variance = sum(_of_sum(each) for each in parts) / count**2
    df, clusters = sum(each.mean.df for each in parts), sum(each.mean.n for each in parts)
    return ObservedMetric(Mean(total / count, variance, df, clusters), count, total)


def _of_sum(part: ObservedMetric) -> float:
    """The variance of a part's sum."""
    variance = part.mean.variance
    return part.count**2 * variance if isfinite(variance) else part.total**2
