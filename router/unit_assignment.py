"""Does a unit take part in an experiment now, and which variant does it get, by which draws and scores?"""

from __future__ import annotations

from msgspec import Struct

from policies.assignment import (
    BUCKETS,
    LONGEST_UNIT,
    POSITION_SHIFT,
    assign,
    bucket_prefix,
    draw,
    place,
    score,
)
from policies.plan import Plan, Reason
from router.audience import forced_units, gate_of
from router.experiment_policy import allocation_of
from router.settings import Settings
from router.state import Epoch


class Candidate(Struct, frozen=True, kw_only=True):
    """A variant with its weight, its share of the units (0 to 1), and its score; none where it is paused."""

    variant: str
    weight: float
    share: float
    score: float | None


class Draw(Struct, frozen=True, kw_only=True):
    """A draw that decides who takes part: ``low`` <= ``draw`` < ``high`` where the unit does."""

    what: str
    draw: float
    low: float
    high: float
    admits: bool


class Assignment(Struct, frozen=True, kw_only=True):
    """What a unit gets while the experiment runs: the variant with the largest score, if it takes part.

    ``forced``: its variant was written down, whatever the draws and scores. ``condition`` is what a request
    must fulfil beside; whether it does cannot be said of a unit alone.
    """

    experiment: str
    running: bool
    epoch: int | None
    salt: str
    unit: str
    variant: str
    propensity: float
    reason: str
    bucket: int
    position: int
    candidates: tuple[Candidate, ...]
    takes_part: bool = True
    forced: bool = False
    draws: tuple[Draw, ...] = ()
    condition: str | None = None


def assignment_of(settings: Settings, name: str, epoch: Epoch | None, unit: str) -> Assignment:
    """The assignment of one unit, by the plan in force; by the written weights where none is."""
    experiment = settings.experiments[name]
    allocation = allocation_of(name, experiment)
    plan = Plan(allocation.salt, allocation.weights)
    if epoch is not None and experiment.running:
        plan = epoch.plan
    counted = unit.encode(errors="surrogateescape")[:LONGEST_UNIT]
    decision = assign(plan, counted)
    placed = place(bucket_prefix(plan.salt), counted)
    scores = {arm.decision.variant: score(arm.prefix, arm.weight, counted) for arm in plan.arms}
    total = sum(plan.weights.values())
    draws = tuple(
        Draw(
            what=bound.what,
            draw=draw(bound.prefix, counted),
            low=bound.low,
            high=bound.high,
            admits=bound.admits(counted),
        )
        for bound in gate_of(settings, name).bounds
    )
    forced = forced_units(experiment).get(counted)
    takes_part = forced is not None or all(each.admits for each in draws)
    condition = experiment.audience.when
    return Assignment(
        experiment=name,
        running=experiment.running,
        epoch=None if epoch is None or not experiment.running else epoch.number,
        salt=plan.salt,
        unit=unit,
        variant=forced or decision.variant,
        propensity=1.0 if forced else decision.propensity,
        reason=_reason(decision.reason, condition, forced, takes_part=takes_part),
        bucket=placed % BUCKETS,
        position=placed >> POSITION_SHIFT,
        candidates=tuple(
            Candidate(variant=variant, weight=weight, share=weight / total, score=scores.get(variant))
            for variant, weight in plan.weights.items()
        ),
        takes_part=takes_part,
        forced=forced is not None,
        draws=draws,
        condition=condition,
    )


def _reason(planned: Reason, condition: str | None, forced: str | None, *, takes_part: bool) -> Reason:
    if not takes_part:
        return "default"
    return planned if condition is None and forced is None else "targeting_match"
