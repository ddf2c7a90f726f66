"""Real models behind one URL, simulated users, and who won."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(context_settings={"auto_envvar_prefix": "TURNOUT_DEMO"})


@app.callback(invoke_without_command=True, epilog="Example: turnout demo --seconds 30")
def demo(
    context: typer.Context,
    seconds: Annotated[float, typer.Option(min=1, help="How long users send requests.")] = 60,
    users: Annotated[int, typer.Option(min=2, help="How many users there are.")] = 2000,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="Requests per second.")] = 150,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The data port; 0 takes a free one.")] = 0,
    control_port: Annotated[
        int, typer.Option(min=0, max=65535, help="The control port; 0 takes a free one.")
    ] = 0,
    hold: Annotated[bool, typer.Option("--hold", help="Go on serving until Ctrl-C.")] = False,
    seed: Annotated[int, typer.Option(help="Of what the users do.")] = 1,
) -> None:
    """Split real requests between two real models, and find the better one.

    Exits 0 only if every request was answered, every outcome counted once, and the better model found.
    """
    if context.invoked_subcommand is not None:
        return
    import asyncio

    from rich.console import Console

    from router.cli.demo.interruption import until_signal
    from router.cli.demo.run import Options, run
    from router.cli.demo.users import Load

    options = Options(
        seconds=seconds,
        load=Load(users=users, rate=rate, seed=seed),
        port=port,
        control_port=control_port,
        hold=hold,
    )
    raise typer.Exit(asyncio.run(until_signal(run(options, Console()))))


@app.command(epilog="Example: turnout demo users --url http://127.0.0.1:8080")
def users(
    url: Annotated[str, typer.Option(help="The data port of a router that serves the demo's experiment.")],
    seconds: Annotated[
        float | None, typer.Option(min=1, help="How long.", show_default="until Ctrl-C or SIGTERM")
    ] = None,
    users: Annotated[int, typer.Option(min=2, help="How many users there are.")] = 2000,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="Requests per second.")] = 50,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two lines of progress.")] = 10,
    seed: Annotated[int, typer.Option(help="Of what the users do.")] = 1,
) -> None:
    """Let the demo's users ask a router that runs already, and post what they saw.

    Exits 0 if every request and outcome was answered as it must be.
    """
    import asyncio
    from math import inf

    from router.cli.demo.interruption import until_signal
    from router.cli.demo.users import Load
    from router.cli.demo.visitors import visit

    load = Load(users=users, rate=rate, seed=seed)
    work = visit(url, load, inf if seconds is None else seconds, every, typer.echo)
    raise typer.Exit(asyncio.run(until_signal(work)))
