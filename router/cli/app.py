"""Which commands are there, and which options does each take?

What a command does is imported when it runs, so that ``turnout --help`` and a mistyped option answer at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from router.cli import operator_commands, reading_commands, token_commands
from router.cli.demo import app as demo
from router.cli.options import Config, LogForm, Output, OutputOption
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


@app.command(
    epilog="Example: turnout serve --config turnout.yaml --port 8080 --workers 4 --data-dir /var/lib/turnout"
)
def serve(
    config: Config,
    host: Annotated[
        str, typer.Option(envvar="TURNOUT_HOST", help="Address of the data port, for clients.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="TURNOUT_PORT", min=0, max=65535, help="The data port; 0 takes a free one.")
    ] = 8080,
    control_host: Annotated[
        str,
        typer.Option(envvar="TURNOUT_CONTROL_HOST", help="Address of the control port, for operators."),
    ] = "127.0.0.1",
    control_port: Annotated[
        int,
        typer.Option(
            envvar="TURNOUT_CONTROL_PORT", min=0, max=65535, help="The control port; 0 takes a free one."
        ),
    ] = 8081,
    workers: Annotated[
        int | None,
        typer.Option(
            envvar="TURNOUT_WORKERS",
            min=1,
            max=1024,
            help="Processes that share the data port.",
            show_default="one for each usable core",
        ),
    ] = None,
    redis: Annotated[
        str | None,
        typer.Option(
            envvar="TURNOUT_REDIS",
            metavar="URL",
            help="A Redis or Valkey, 6.2 or newer, such as redis://HOST:6379/0.",
            show_default="an embedded one, in the data directory",
        ),
    ] = None,
    data_dir: Annotated[
        Path,
        typer.Option(
            envvar="TURNOUT_DATA_DIR", metavar="DIR", help="Where state outlives a restart; made if missing."
        ),
    ] = Path("turnout-data"),
    key: Annotated[
        str | None,
        typer.Option(
            envvar="TURNOUT_KEY",
            help="Signs tokens, 16 to 32 bytes, the same on every node. Better given by the environment, "
            "because others on this machine can read a command line.",
            show_default="made once and kept in Redis",
        ),
    ] = None,
    log_format: Annotated[
        LogForm, typer.Option(envvar="TURNOUT_LOG_FORMAT", help="The log's lines: text, or JSON objects.")
    ] = LogForm.text,
    access_log: Annotated[
        bool, typer.Option("--access-log", envvar="TURNOUT_ACCESS_LOG", help="Log a line for each request.")
    ] = False,
) -> None:
    """Run the router: the data port for clients, the control port for operators and analysts.

    Prints one line that starts with "ready:" when both answer. SIGTERM or Ctrl-C stops it without losing a
    request that was accepted.
    """
    from router.cli import serve as command

    status = command.run(
        config_path=config,
        host=host,
        port=port,
        control_host=control_host,
        control_port=control_port,
        workers=workers,
        redis_url=redis,
        data_dir=data_dir,
        key=key,
        log_format=log_format.value,
        access_log=access_log,
    )
    raise typer.Exit(status)


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
app.add_typer(operator_commands.app)
app.add_typer(reading_commands.app)
app.add_typer(token_commands.app, name="token", rich_help_panel="Who may")
app.add_typer(token_commands.contexts, name="context", rich_help_panel="Who may")
