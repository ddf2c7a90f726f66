"""``turnout assign``: which variant does a unit get, and by which scores?"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from policies.assignment import BUCKETS, POSITION_SHIFT, assign, bucket_prefix, place, score
from policies.plan import Plan
from router.cli.options import Output
from router.cli.showing import show
from router.config_file import load
from router.data.unit import LONGEST_UNIT
from router.experiment_policy import allocation_of
from router.problems import ABSENT, InvalidConfiguration, unknown
from router.settings import Experiment, Settings


class Candidate(Struct, frozen=True, kw_only=True):
    """A variant with its weight, its share of the units (0 to 1), and its score; none where it is paused."""

    variant: str
    weight: float
    share: float
    score: float | None


class Assignment(Struct, frozen=True, kw_only=True):
    """What a unit gets: the variant with the largest score."""

    experiment: str
    running: bool
    salt: str
    unit: str
    variant: str
    propensity: float
    reason: str
    bucket: int
    position: int
    candidates: tuple[Candidate, ...]


def run(config: Path, experiment: str, unit: str, output: Output) -> None:
    """Print the assignment; `InvalidConfiguration` for a bad file or an experiment that it has not."""
    settings = load(config)
    assignment = assignment_of(experiment, _find(settings, experiment, config), unit)
    show(output, msgspec.to_builtins(assignment), lambda to: _print(to, assignment))


def assignment_of(name: str, experiment: Experiment, unit: str) -> Assignment:
    """The assignment of one unit, of which the first 256 bytes of UTF-8 count, as in a request."""
    allocation = allocation_of(name, experiment)
    plan = Plan(allocation.salt, allocation.weights)
    counted = unit.encode(errors="surrogateescape")[:LONGEST_UNIT]
    decision = assign(plan, counted)
    placed = place(bucket_prefix(plan.salt), counted)
    scores = {arm.decision.variant: score(arm.prefix, arm.weight, counted) for arm in plan.arms}
    total = sum(plan.weights.values())
    return Assignment(
        experiment=name,
        running=experiment.running,
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


def _find(settings: Settings, name: str, config: Path) -> Experiment:
    if name not in settings.experiments:
        problem = unknown(("experiments", name), ABSENT, "experiment", settings.experiments, name)
        raise InvalidConfiguration([problem], str(config))
    return settings.experiments[name]


def _print(console: Console, assignment: Assignment) -> None:
    table = Table("variant", title_justify="left")
    for column in ("weight", "share", "score"):
        table.add_column(column, justify="right")
    for candidate in assignment.candidates:
        chosen = candidate.variant == assignment.variant
        table.add_row(
            escape(candidate.variant) + (" <-" if chosen else ""),
            f"{candidate.weight:g}",
            f"{candidate.share:.2%}",
            "paused" if candidate.score is None else f"{candidate.score:.9f}",
            style="bold" if chosen else None,
        )
    head = f"{assignment.experiment}: {assignment.unit!r} -> {assignment.variant}"
    console.print(escape(head), soft_wrap=True)
    console.print(table)
    place = f"bucket {assignment.bucket} of {BUCKETS}, position {assignment.position}, salt {assignment.salt}"
    console.print(f"the largest score wins; {escape(place)}", soft_wrap=True)
    if not assignment.running:
        console.print("the experiment is stopped: its routes are served by their own backends")
