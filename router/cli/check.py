"""``turnout check``: how does a reader see what the router would do?"""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from router.cli.options import Output
from router.cli.showing import show
from router.config_file import load
from router.description import Description, ExperimentLine, describe


def run(file: Path, output: Output) -> None:
    """Print the description of a file; `InvalidConfiguration` where it cannot be used."""
    description = describe(load(file))
    show(output, msgspec.to_builtins(description), lambda to: _print(to, file, description))


def _print(console: Console, file: Path, description: Description) -> None:
    _print_routes(console, description)
    for experiment in description.experiments:
        _print_experiment(console, experiment)
    for warning in description.warnings:
        console.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    console.print(f"{escape(str(file))}: usable", soft_wrap=True)


def _print_routes(console: Console, description: Description) -> None:
    table = Table(
        "path", "served by", title="Routes, in the order in which they are tried", title_justify="left"
    )
    for route in description.routes:
        table.add_row(escape(route.path), escape(route.served))
    console.print(table)


def _print_experiment(console: Console, experiment: ExperimentLine) -> None:
    state = "running" if experiment.running else "stopped"
    title = f"Experiment {escape(experiment.name)} ({state}), policy {escape(experiment.policy)}"
    table = Table("variant", "backend", title=title, title_justify="left")
    table.add_column("weight", justify="right")
    table.add_column("share", justify="right")
    for variant in experiment.variants:
        role = " (control)" if variant.control else ""
        table.add_row(
            escape(variant.name) + role,
            escape(variant.backend),
            f"{variant.weight:g}",
            f"{variant.share:.2%}",
        )
    console.print(table)
    facts = {
        "unit": ", else ".join(experiment.unit),
        "no unit": experiment.without_unit,
        "takes part": "; ".join(experiment.audience) or "everybody",
        "metrics": "; ".join(experiment.metrics) or "none",
        "salt": experiment.salt,
    }
    for name, fact in facts.items():
        console.print(f"  {name}: {escape(fact)}", soft_wrap=True)
