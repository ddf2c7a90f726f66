"""What may the word be that the shell asks to complete?

A completion that fails says nothing: the command that follows will say what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import typer

from router.errors import TurnoutError

_PATIENCE = 1.0  # seconds


def complete_experiment(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of the experiments that the router has."""
    with suppress(TurnoutError):
        return [name for name in _experiments(ctx) if name.startswith(incomplete)]
    return []


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of the resource that was named before."""
    from router.cli.client import Client
    from router.cli.contexts import target_of

    resource = str(ctx.params.get("resource"))
    if resource == "experiments":
        return complete_experiment(ctx, incomplete)
    names: list[str] = []
    with (
        suppress(TurnoutError),
        Client(target_of(ctx.params.get("url"), ctx.params.get("context")), _PATIENCE) as client,
    ):
        if resource == "backends":
            names = list(client.get("backends").read(dict[str, Any])["backends"])
        elif resource == "routes":
            names = [route["path"] for route in client.get("routes").read(dict[str, Any])["routes"]]
    return [name for name in names if name.startswith(incomplete)]


def complete_variant(ctx: typer.Context, incomplete: str) -> list[str]:
    """The variants of the experiment that was named before."""
    with suppress(TurnoutError):
        return [name for name in _variants(ctx) if name.startswith(incomplete)]
    return []


def complete_weight(ctx: typer.Context, incomplete: str) -> list[str]:
    """``VARIANT=`` for each variant that has no weight yet."""
    given = {word.partition("=")[0] for word in ctx.params.get("weights") or ()}
    with suppress(TurnoutError):
        return [
            f"{name}=" for name in _variants(ctx) if name not in given and f"{name}=".startswith(incomplete)
        ]
    return []


def complete_context(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names in the contexts file."""
    from router.cli.contexts import contexts_file, load_contexts

    with suppress(TurnoutError):
        return [name for name in load_contexts(contexts_file()).contexts if name.startswith(incomplete)]
    return []


def _experiments(ctx: typer.Context) -> Iterator[str]:
    from router.cli.answers import Experiments
    from router.cli.client import Client
    from router.cli.contexts import target_of

    with Client(target_of(ctx.params.get("url"), ctx.params.get("context")), _PATIENCE) as client:
        for experiment in client.get("experiments").read(Experiments).experiments:
            yield experiment.name


def _variants(ctx: typer.Context) -> Iterator[str]:
    from router.cli.answers import Experiment
    from router.cli.client import Client
    from router.cli.contexts import target_of

    # An option that still waits for its value leaves the arguments before it unread.
    name = ctx.params.get("experiment") or next(iter(ctx.args), "")
    with Client(target_of(ctx.params.get("url"), ctx.params.get("context")), _PATIENCE) as client:
        for variant in client.get("experiments", name).read(Experiment).variants:
            yield variant.name
