"""``turnout check``: how does a reader see what the router would do?"""

from __future__ import annotations

from math import fsum, isclose
from pathlib import Path
from time import time

import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from router.cli.options import Output
from router.cli.showing import show
from router.config_file import load
from router.description import Description, ExperimentLine, describe
from router.experiment_policy import first_plan
from router.settings import Settings


def run(file: Path, output: Output) -> None:
    """Print the description of a file; `InvalidConfiguration` where it cannot be used."""
    settings = load(file)
    description = _begun(settings, describe(settings))
    show(output, msgspec.to_builtins(description), lambda to: _print(to, file, description))


def _begun(settings: Settings, description: Description) -> Description:
    """With the shares of each policy's first plan; `InvalidConfiguration` where there is none."""
    experiments = []
    for each in description.experiments:
        weights = first_plan(each.name, settings.experiments[each.name], time()).weights
        total = fsum(weights.values())
        variants = tuple(replace(one, begins=weights[one.name] / total) for one in each.variants)
        experiments.append(replace(each, variants=variants))
    return replace(description, experiments=tuple(experiments))


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
    moved = any(not isclose(each.begins or 0.0, each.share, abs_tol=1e-9) for each in experiment.variants)
    if moved:
        table.add_column("begins with", justify="right")
    for variant in experiment.variants:
        role = " (control)" if variant.control else ""
        table.add_row(
            escape(variant.name) + role,
            escape(variant.backend),
            f"{variant.weight:g}",
            f"{variant.share:.2%}",
            *([f"{variant.begins:.2%}"] if moved and variant.begins is not None else []),
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
