"""Which options do several commands share?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from router.cli.completion import complete_context, complete_experiment


class Output(StrEnum):
    """How a command prints its result."""

    table = "table"
    json = "json"
    yaml = "yaml"


class LogForm(StrEnum):
    """How the service writes its log."""

    text = "text"
    json = "json"


Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="TURNOUT_CONFIG", help="The configuration file.", metavar="FILE"),
]
OutputOption = Annotated[
    Output, typer.Option("--output", "-o", envvar="TURNOUT_OUTPUT", help="How to print the result.")
]
Url = Annotated[
    str | None,
    typer.Option(
        envvar="TURNOUT_URL",
        help="The control port of a running router. Its token is read from TURNOUT_TOKEN.",
        show_default="the current context's, else http://127.0.0.1:8081",
    ),
]
ContextName = Annotated[
    str | None,
    typer.Option(
        "--context",
        envvar="TURNOUT_CONTEXT",
        help="A router by its name in the contexts file, instead of a URL.",
        show_default=False,
        autocompletion=complete_context,
    ),
]
Why = Annotated[str, typer.Option(help="Why, for those who read the history.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
IfMatch = Annotated[
    str | None,
    typer.Option(
        help="Only if it is still what was read under this etag (of: get experiments NAME -o json).",
        show_default="what it is when the command starts",
    ),
]
ExperimentName = Annotated[
    str,
    typer.Argument(help="The experiment's name.", show_default=False, autocompletion=complete_experiment),
]
ConfigurationFile = Annotated[
    Path,
    typer.Argument(
        help="The configuration file.", envvar="TURNOUT_CONFIG", metavar="FILE", show_default=False
    ),
]
