"""Which commands change what a running router does?"""

from __future__ import annotations

from typing import Annotated

import typer

from router.cli.completion import complete_variant, complete_weight
from router.cli.options import (
    ConfigurationFile,
    ContextName,
    ExperimentName,
    IfMatch,
    Output,
    OutputOption,
    Url,
    Why,
    Yes,
)

app = typer.Typer()

_PANEL = "Operate a running router"
Prune = Annotated[bool, typer.Option("--prune", help="Also remove what the file does not name.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Change nothing; exit code 3 when something would change."),
]


@app.command(
    rich_help_panel=_PANEL,
    epilog="Example: turnout apply turnout.yaml --why 'more for the challenger'. "
    "In a pipeline: turnout apply turnout.yaml --dry-run; turnout apply turnout.yaml --yes",
)
def apply(
    file: ConfigurationFile,
    prune: Prune = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    why: Why = "",
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Make a running router's configuration what a file says, after showing what that changes.

    Exit codes: 0 applied, or nothing to change; 1 failed or declined; 2 the file is wrong, each mistake named
    with its line; 3 changes pending (--dry-run); 4 somebody else changed the configuration meanwhile.
    """
    from router.cli import apply as command
    from router.cli.contexts import target_of

    target = target_of(url, context)
    status = command.apply(file, target, prune=prune, why=why, yes=yes, dry_run=dry_run, output=output)
    raise typer.Exit(status)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout validate turnout.yaml")
def validate(
    file: ConfigurationFile,
    prune: Prune = False,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Show what a file would change in a running router, and what share of units would move.

    Nothing is changed, and a viewer's token is enough. To check a file without a router: turnout check.
    """
    from router.cli import apply as command
    from router.cli.contexts import target_of

    command.validate(file, target_of(url, context), prune=prune, output=output)


@app.command(
    rich_help_panel=_PANEL, epilog="Example: turnout weights ranker champion=80 challenger=20 --why 'day 2'"
)
def weights(
    experiment: ExperimentName,
    weights: Annotated[
        list[str],
        typer.Argument(
            metavar="VARIANT=WEIGHT",
            help="A weight for each variant; 0 pauses one.",
            show_default=False,
            autocompletion=complete_weight,
        ),
    ],
    why: Why = "",
    if_match: IfMatch = None,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Replace the weights of all of an experiment's variants; a new epoch begins.

    Exit code 4 when somebody else changed the experiment meanwhile: nothing was changed then.
    """
    from router.cli import operate
    from router.cli.contexts import target_of

    target = target_of(url, context)
    operate.set_weights(target, experiment, weights, why=why, if_match=if_match, output=output)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout start ranker")
def start(
    experiment: ExperimentName,
    why: Why = "",
    if_match: IfMatch = None,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Let an experiment assign units, from a new epoch on."""
    _act("start", experiment, why, if_match, url, context, output)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout pause ranker --why 'the challenger is slow'")
def pause(
    experiment: ExperimentName,
    why: Why = "",
    if_match: IfMatch = None,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Assign nobody for now: the weights stay, and the routes' own backends serve."""
    _act("pause", experiment, why, if_match, url, context, output)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout stop ranker --winner challenger")
def stop(
    experiment: ExperimentName,
    winner: Annotated[
        str | None,
        typer.Option(
            help="The variant whose backend serves everybody from now on.",
            show_default=False,
            autocompletion=complete_variant,
        ),
    ] = None,
    why: Why = "",
    if_match: IfMatch = None,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """End an experiment with a winner, whose backend becomes that of the experiment's routes."""
    from router.cli import operate
    from router.cli.contexts import target_of

    target = target_of(url, context)
    operate.stop(target, experiment, winner, why=why, if_match=if_match, output=output)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout archive ranker")
def archive(
    experiment: ExperimentName,
    why: Why = "",
    if_match: IfMatch = None,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Put away an experiment that does not run: off its routes and lists; its evidence and report stay."""
    _act("archive", experiment, why, if_match, url, context, output)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout rollback 12 --why 'version 13 was a mistake'")
def rollback(
    version: Annotated[
        int, typer.Argument(min=1, help="The version that comes back; see history.", show_default=False)
    ],
    dry_run: DryRun = False,
    yes: Yes = False,
    why: Why = "",
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Bring an earlier version's configuration back, as a new version, after showing what that changes."""
    from router.cli import history
    from router.cli.contexts import target_of

    target = target_of(url, context)
    status = history.rollback(target, version, why=why, yes=yes, dry_run=dry_run, output=output)
    raise typer.Exit(status)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout restore")
def restore(
    yes: Yes = False,
    why: Why = "",
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Make the last snapshot on disk the state again, where Redis came back empty or older."""
    from router.cli import history
    from router.cli.contexts import target_of

    history.restore(target_of(url, context), why=why, yes=yes, output=output)


def _act(
    action: str,
    experiment: str,
    why: str,
    if_match: str | None,
    url: str | None,
    context: str | None,
    output: Output,
) -> None:
    from router.cli import operate
    from router.cli.contexts import target_of

    operate.act(target_of(url, context), experiment, action, why=why, if_match=if_match, output=output)
