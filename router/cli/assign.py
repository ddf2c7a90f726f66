"""``turnout assign``: does a unit take part, and which variant does it get, by which draws and scores?"""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from policies.assignment import BUCKETS
from router.cli.options import Output
from router.cli.showing import show
from router.config_file import load
from router.problems import ABSENT, InvalidConfiguration, unknown
from router.unit_assignment import Assignment, assignment_of


def run(config: Path, experiment: str, unit: str, output: Output) -> None:
    """Print the assignment; `InvalidConfiguration` for a bad file or an experiment that it has not."""
    settings = load(config)
    if experiment not in settings.experiments:
        problem = unknown(("experiments", experiment), ABSENT, "experiment", settings.experiments, experiment)
        raise InvalidConfiguration([problem], str(config))
    assignment = assignment_of(settings, experiment, None, unit)
    show(output, msgspec.to_builtins(assignment), lambda to: _print(to, assignment))


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
    got = assignment.variant if assignment.takes_part else "does not take part"
    head = f"{assignment.experiment}: {assignment.unit!r} -> {got}"
    console.print(escape(head), soft_wrap=True)
    console.print(table)
    place = f"bucket {assignment.bucket} of {BUCKETS}, position {assignment.position}, salt {assignment.salt}"
    console.print(f"the largest score wins; {escape(place)}", soft_wrap=True)
    for each in assignment.draws:
        inside = "in" if each.admits else "not in"
        line = f"{each.what}: {each.draw:.9f} is {inside} [{each.low:g}, {each.high:g})"
        console.print(escape(line), soft_wrap=True)
    if assignment.forced:
        console.print("the unit's variant is written down: it is not counted")
    elif assignment.condition is not None:
        console.print(f"only for requests with {escape(assignment.condition.strip())}", soft_wrap=True)
    if not assignment.running:
        console.print("the experiment is stopped: its routes are served by their own backends")
