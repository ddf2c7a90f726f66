"""Which commands are there, and which options does each take?

What a command does is imported when it runs, so that ``turnout --help`` and a mistyped option answer at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from router.cli import operator_commands, policy_commands, reading_commands, service_commands, token_commands
from router.cli.demo import app as demo
from router.cli.loadtest.command import app as loadtest
from router.cli.options import Config, Output, OutputOption
from router.errors import TurnoutError

app = typer.Typer(
    help="One stable URL in front of your models: splits traffic, records outcomes, and says who won.",
    epilog="Start with: turnout demo. Then: turnout check turnout.yaml; turnout serve --config turnout.yaml; "
    "turnout apply turnout.yaml.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        typer.echo(f"turnout {version('turnout')}")
    except PackageNotFoundError:
        raise TurnoutError("the version is unknown: turnout runs from source, not installed") from None
    raise typer.Exit


@app.callback()
def turnout(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: turnout check turnout.yaml")
def check(
    file: Annotated[
        Path, typer.Argument(help="The configuration file.", envvar="TURNOUT_CONFIG", show_default=False)
    ],
    output: OutputOption = Output.table,
) -> None:
    """Say whether a configuration can be used, and what the router would do with it.

    Every mistake is named with its line. Exit code 0 means usable, warnings or not; 2 means mistakes.
    """
    from router.cli import check as command

    command.run(file, output)


@app.command(epilog="Example: turnout assign ranker user-42 --config turnout.yaml")
def assign(
    experiment: Annotated[str, typer.Argument(help="The experiment's name.", show_default=False)],
    unit: Annotated[str, typer.Argument(help="The unit, for instance a user id.", show_default=False)],
    config: Config,
    output: OutputOption = Output.table,
) -> None:
    """Show which variant a unit gets under a configuration, and by which scores.

    Computed here, from the file alone, by the function that the router itself uses.
    """
    from router.cli import assign as command

    command.run(config, experiment, unit, output)


app.add_typer(demo, name="demo")
app.add_typer(service_commands.app)
app.add_typer(operator_commands.app)
app.add_typer(policy_commands.app)
app.add_typer(loadtest)
app.add_typer(reading_commands.app)
app.add_typer(token_commands.app, name="token", rich_help_panel="Who may")
app.add_typer(token_commands.contexts, name="context", rich_help_panel="Who may")
