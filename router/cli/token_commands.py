"""Which commands are about API tokens, and which about contexts?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from router.cli.completion import complete_context
from router.cli.options import ContextName, Output, OutputOption, Url

if TYPE_CHECKING:
    from router.cli.contexts import Target

app = typer.Typer(
    help="API tokens: who may look, who may change, who may make tokens.",
    epilog="The first token, on the router's machine: "
    "turnout token create --name NAME --role admin --data-dir turnout-data",
    no_args_is_help=True,
)
contexts = typer.Typer(help="Routers by name, in the contexts file.", no_args_is_help=True)


class Role(StrEnum):
    """What a token allows."""

    viewer = "viewer"
    operator = "operator"
    admin = "admin"


Name = Annotated[str, typer.Option(help="The token's name; it stands in the history.", show_default=False)]
Redis = Annotated[
    str | None,
    typer.Option(help="Straight through this Redis, not the API.", metavar="URL", show_default=False),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Straight through the Redis of this data directory, not the API; the router need not run.",
        metavar="DIR",
        show_default=False,
    ),
]


@app.command(
    epilog="Example: turnout token create --name deploys --role operator. "
    "The first one: turnout token create --name NAME --role admin --data-dir turnout-data",
)
def create(
    name: Name,
    role: Annotated[Role, typer.Option(help="viewer looks, operator changes, admin makes tokens.")],
    redis: Redis = None,
    data_dir: DataDir = None,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Make a token and print it, this once. The first one must be an admin's."""
    from router.cli import tokens

    target = _target(redis, data_dir, url, context)
    tokens.print_made(tokens.create(target, redis, data_dir, name, role.value), output)


@app.command("list", epilog="Example: turnout token list")
def list_all(
    redis: Redis = None,
    data_dir: DataDir = None,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Show who has a token, with which role."""
    from router.cli import tokens

    tokens.print_all(tokens.list_all(_target(redis, data_dir, url, context), redis, data_dir), output)


@app.command(epilog="Example: turnout token revoke deploys")
def revoke(
    name: Annotated[str, typer.Argument(help="The token's name.", show_default=False)],
    redis: Redis = None,
    data_dir: DataDir = None,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Make a token open nothing any more. The last admin's can only be revoked straight through Redis."""
    from router.cli import tokens

    tokens.revoke(_target(redis, data_dir, url, context), redis, data_dir, name)
    tokens.print_revoked(name, output)


@contexts.command("list", epilog="Example: turnout context list")
def list_contexts(output: OutputOption = Output.table) -> None:
    """Show the contexts, which one is current, and where they stand."""
    from router.cli import context_command

    context_command.run(output)


@contexts.command(epilog="Example: turnout context use staging")
def use(
    name: Annotated[
        str, typer.Argument(help="The context.", show_default=False, autocompletion=complete_context)
    ],
    output: OutputOption = Output.table,
) -> None:
    """Make a context the one that commands use when nothing else is said."""
    from router.cli import context_command

    context_command.use(name, output)


def _target(redis: str | None, data_dir: Path | None, url: str | None, context: str | None) -> Target | None:
    """None where Redis is named: it is asked straight."""
    from router.cli.contexts import target_of

    return target_of(url, context) if redis is None and data_dir is None else None
