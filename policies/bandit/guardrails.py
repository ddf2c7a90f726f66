"""Which arms have been shown to do harm, so that they must not get traffic any more?

An arm is out when it is worse than the control by more than the margin, by a one-sided confidence sequence on
the difference within epochs: so it may be asked at every plan, at weights that follow the evidence, under a
baseline that drifts, and the chance that any arm is ever taken out wrongly stays below ``alpha`` in all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Final

import numpy as np

from policies.bandit.cells import Cells, Floats, Read, binary_spread, mean_spread
from policies.bandit.parameters import ERRORS, Guardrail
from policies.policy import Allocation
from policies.statistics.always_valid.asymptotic import MINIMUM, critical_value
from policies.statistics.observed import ObservedEpoch

ALPHA: Final = 0.05
TUNED_TO: Final = 10_000.0  # units of arm and control together, at which the sequence is narrowest
_EVENTS: Final = 10  # of a 0-or-1 quantity, in both variants together: fewer are not nearly normal
_SMOOTHING: Final = (0.5, 0.5)


def harmful(
    epochs: Sequence[ObservedEpoch],
    allocation: Allocation,
    guardrails: Sequence[Guardrail],
    suspects: Sequence[str],
) -> dict[str, str]:
    """The arms of ``suspects`` to take out, each with the reason in words; the control is never one."""
    out: dict[str, str] = {}
    arms = [name for name in suspects if name != allocation.control]
    if not arms or not guardrails:
        return out
    alpha = ALPHA / (len(guardrails) * max(len(allocation.weights) - 1, 1))
    for guardrail in guardrails:
        binary, sign, margin = _direction(guardrail, allocation)
        cells = Cells.of(epochs, [allocation.control, *arms], _reader(guardrail.metric))
        for k, arm in enumerate(arms, start=1):
            found = _least_harm(cells.of_arms([0, k]), binary, sign, margin, alpha)
            if arm not in out and found is not None and found[1] > margin:
                harm, least = found
                out[arm] = (
                    f"{guardrail.metric} worse than {allocation.control}'s by {harm:.4g}, "
                    f"surely by more than {least:.4g}; allowed: {margin:g}"
                )
    return out


def unjudged(
    epochs: Sequence[ObservedEpoch],
    allocation: Allocation,
    guardrails: Sequence[Guardrail],
    arms: Sequence[str],
) -> dict[str, tuple[float, str]]:
    """What ``arms`` lack before each guardrail can judge: how many units, and in which metric.

    Counted are units of epochs in which both the arm and the control had values of that metric. Empty where
    the control is none of the arms, because then nothing can ever be judged.
    """
    control = allocation.control
    others = [name for name in arms if name != control]
    lacking: dict[str, tuple[float, str]] = {}
    if control not in arms:
        return lacking
    for guardrail in guardrails:
        cells = Cells.of(epochs, [control, *others], _reader(guardrail.metric))
        for k, arm in enumerate(others, start=1):
            for name, units in zip((control, arm), _units_of_both(cells.of_arms([0, k])), strict=True):
                least = max((MINIMUM - units, guardrail.metric), lacking.get(name, (0.0, "")))
                if least[0] > 0.0:
                    lacking[name] = least
    return lacking


def _units_of_both(cells: Cells) -> tuple[float, float]:
    """The units of control and arm, over the epochs in which both had some."""
    both = (cells.count > 0.0).all(axis=1)
    first, second = cells.units[both].sum(axis=0)
    return float(first), float(second)


def _direction(guardrail: Guardrail, allocation: Allocation) -> tuple[bool, int, float]:
    """Is it 0 or 1, which sign has the harm, and how much of it is allowed?"""
    if guardrail.metric == ERRORS:
        return True, 1, guardrail.margin or 0.0
    spec = allocation.metric(guardrail.metric)
    return spec.kind == "binary", -spec.sign, guardrail.margin or spec.margin or 0.0


def _reader(metric: str) -> Read:
    if metric == ERRORS:
        return lambda variant: variant.errors
    return lambda variant: variant.metrics.get(metric)


def _least_harm(
    cells: Cells, binary: bool, sign: int, margin: float, alpha: float
) -> tuple[float, float] | None:
    """The harm that the arm does and its lower bound, in the metric's unit; None where too little is known.

    ``cells`` are of control and arm. Epochs that lack one of the two say nothing.
    """
    both = (cells.count > 0.0).all(axis=1)
    count, mean, units = cells.count[both], cells.mean[both], cells.units[both]
    if min(_units_of_both(cells)) < MINIMUM:
        return None
    if binary:
        events = float((count * mean).sum())
        if min(events, float(count.sum()) - events) < _EVENTS:
            return None
        single, effect = binary_spread(cells, _SMOOTHING)
        single = single * effect
    else:
        single = mean_spread(cells)
    if not (single > 0.0).all():
        return None
    harm, error = _difference(count / single, sign * mean)
    width = critical_value(float(units.sum()), alpha, TUNED_TO, sides=1)
    return harm, harm - width * error


def _difference(precision: Floats, mean: Floats) -> tuple[float, float]:
    """Arm less control over epochs (E, 2), by what each epoch has to compare, and its standard error."""
    weight = precision.prod(axis=1) / precision.sum(axis=1)
    total = float(weight.sum())
    return float((weight * np.diff(mean, axis=1)[:, 0]).sum()) / total, sqrt(1.0 / total)


def still_out(remembered: Mapping[str, str], found: Mapping[str, str], live: Sequence[str]) -> dict[str, str]:
    """Who is out now: what was taken out stays out; of arms that would leave none, the last is kept."""
    out = {name: reason for name, reason in {**found, **remembered}.items() if name in live}
    if out and len(out) == len(live):
        kept = next((name for name in live if name not in remembered), live[0])
        del out[kept]
    return out
