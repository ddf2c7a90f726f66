"""Which variant does a unit get now, and by which scores?"""

from __future__ import annotations

from msgspec import Struct

from policies.assignment import BUCKETS, LONGEST_UNIT, POSITION_SHIFT, assign, bucket_prefix, place, score
from policies.plan import Plan
from router.experiment_policy import allocation_of
from router.settings import Experiment
from router.state import Epoch


class Candidate(Struct, frozen=True, kw_only=True):
    """A variant with its weight, its share of the units (0 to 1), and its score; none where it is paused."""

    variant: str
    weight: float
    share: float
    score: float | None


class Assignment(Struct, frozen=True, kw_only=True):
    """What a unit gets while the experiment runs: the variant with the largest score."""

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


def assignment_of(name: str, experiment: Experiment, epoch: Epoch | None, unit: str) -> Assignment:
    """The assignment of one unit, by the plan in force; by the written weights where none is."""
    allocation = allocation_of(name, experiment)
    plan = Plan(allocation.salt, allocation.weights)
    if epoch is not None and experiment.running:
        plan = epoch.plan
    counted = unit.encode(errors="surrogateescape")[:LONGEST_UNIT]
    decision = assign(plan, counted)
    placed = place(bucket_prefix(plan.salt), counted)
    scores = {arm.decision.variant: score(arm.prefix, arm.weight, counted) for arm in plan.arms}
    total = sum(plan.weights.values())
    return Assignment(
        experiment=name,
        running=experiment.running,
        epoch=None if epoch is None or not experiment.running else epoch.number,
        salt=plan.salt,
        unit=unit,
        variant=decision.variant,
        propensity=decision.propensity,
        reason=decision.reason,
        bucket=placed % BUCKETS,
        position=placed >> POSITION_SHIFT,
        candidates=tuple(
            Candidate(variant=variant, weight=weight, share=weight / total, score=scores.get(variant))
            for variant, weight in plan.weights.items()
        ),
    )
