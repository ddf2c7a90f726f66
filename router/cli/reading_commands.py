"""Which commands show what a running router has?"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from router.cli.completion import complete_name
from router.cli.options import ContextName, ExperimentName, Output, OutputOption, Url

app = typer.Typer()

_PANEL = "Look at a running router"


class Resource(StrEnum):
    """What can be had."""

    experiments = "experiments"
    backends = "backends"
    routes = "routes"
    versions = "versions"
    workers = "workers"
    audit = "audit"
    configuration = "configuration"


@app.command(
    rich_help_panel=_PANEL,
    epilog="Example: turnout get experiments ranker. "
    "The whole configuration as a file: turnout get configuration --output yaml",
)
def get(
    resource: Annotated[Resource, typer.Argument(help="What to show.")] = Resource.experiments,
    name: Annotated[
        str | None,
        typer.Argument(
            help="One of them: a name, a route's path, a version's number.",
            show_default="all of them",
            autocompletion=complete_name,
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Of versions or audit, how many.")] = 20,
    archived: Annotated[bool, typer.Option("--archived", help="Archived experiments, too.")] = False,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Show experiments, backends, routes, versions, workers, the audit log, or the whole configuration."""
    from router.cli import get as command
    from router.cli.contexts import target_of

    target = target_of(url, context)
    command.get(target, resource, name, limit=limit, archived=archived, output=output)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout history --limit 5")
def history(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest first.")] = 20,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Show the versions of the configuration: who, when, why, and what was different."""
    from router.cli import history as command
    from router.cli.contexts import target_of

    command.history(target_of(url, context), limit, output)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout diff 12 14")
def diff(
    first: Annotated[int, typer.Argument(min=1, help="A version's number.", show_default=False)],
    second: Annotated[
        int | None,
        typer.Argument(min=1, help="Another one.", show_default="the version in force"),
    ] = None,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Show what is different in a version as compared with an earlier one."""
    from router.cli import history as command
    from router.cli.contexts import target_of

    command.diff(target_of(url, context), first, second, output)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout workers")
def workers(url: Url = None, context: ContextName = None, output: OutputOption = Output.table) -> None:
    """Show which version each worker runs, since when, and how far behind it is."""
    from router.cli import get as command
    from router.cli.contexts import target_of

    command.workers(target_of(url, context), output)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout report ranker --url http://127.0.0.1:8081")
def report(
    experiment: ExperimentName,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Print what is known about an experiment: traffic, effects with their intervals, and health checks."""
    from router.cli import report as command
    from router.cli.contexts import target_of

    command.run(target_of(url, context), experiment, output)


@app.command("off-policy", rich_help_panel=_PANEL, epilog="Example: turnout off-policy ranker")
def off_policy(
    experiment: ExperimentName,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Print what other policies would have earned on the logged decisions of a contextual bandit."""
    from router.cli import off_policy as command
    from router.cli.contexts import target_of

    command.run(target_of(url, context), experiment, output)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout shadow ranker-v2 --examples 3")
def shadow(
    name: Annotated[
        str | None, typer.Argument(help="The shadow's name.", show_default="which shadows there are")
    ] = None,
    examples: Annotated[int, typer.Option(min=0, max=50, help="How many pairs that differ to show.")] = 0,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Print whether a shadow differs more than the current model does from itself, and where."""
    from router.cli import shadow as command
    from router.cli.contexts import target_of

    command.run(target_of(url, context), name, examples, output)
