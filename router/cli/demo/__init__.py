"""Real models behind one URL, simulated users, and who won."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from router.cli.demo.scenario import Scenario

app = typer.Typer(context_settings={"auto_envvar_prefix": "TURNOUT_DEMO"})

Seconds = Annotated[float, typer.Option(min=1, help="How long users send requests.")]
UserNumber = Annotated[int, typer.Option("--users", min=2, help="How many users there are.")]
Rate = Annotated[float, typer.Option(min=1, max=1000, help="Requests per second.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The data port; 0 takes a free one.")]
ControlPort = Annotated[int, typer.Option(min=0, max=65535, help="The control port; 0 takes a free one.")]
Hold = Annotated[bool, typer.Option("--hold", help="Go on serving until Ctrl-C.")]
Seed = Annotated[int, typer.Option(help="Of what the users do.")]


@app.callback(invoke_without_command=True, epilog="Example: turnout demo --seconds 30")
def demo(
    context: typer.Context,
    seconds: Seconds = 60,
    users: UserNumber = 2000,
    rate: Rate = 150,
    port: Port = 0,
    control_port: ControlPort = 0,
    hold: Hold = False,
    seed: Seed = 1,
) -> None:
    """Split real requests between two real models, and find the better one.

    Exits 0 only if every request was answered, every outcome counted once, and the better model found.
    """
    if context.invoked_subcommand is not None:
        _refuse_options_before(context, context.invoked_subcommand)
        return
    from router.cli.demo.split.scenario import Split

    _run(Split(), seconds, users, rate, port, control_port, hold, seed)


@app.command(epilog="Example: turnout demo canary --rate 100")
def canary(
    seconds: Annotated[
        float,
        typer.Option(min=1, help="How long users send requests, at most: it ends when both are judged."),
    ] = 60,
    users: UserNumber = 20_000,
    rate: Rate = 200,
    port: Port = 0,
    control_port: ControlPort = 0,
    hold: Hold = False,
    seed: Seed = 1,
) -> None:
    """Roll out a model that fails 5 % of its requests, see it rolled back; then one that is well.

    Exits 0 only if every request was answered, harm was found, the healthy model got all of the traffic, and
    every plan can be computed again from its record.
    """
    from router.cli.demo.canary.scenario import CanaryOfTwo

    _run(CanaryOfTwo(), seconds, users, rate, port, control_port, hold, seed)


@app.command(epilog="Example: turnout demo shadow --seconds 20")
def shadow(
    seconds: Seconds = 30,
    users: UserNumber = 2000,
    rate: Rate = 100,
    port: Port = 0,
    control_port: ControlPort = 0,
    hold: Hold = False,
    seed: Seed = 1,
) -> None:
    """Send copies of one model's requests to another one, and compare what they answer.

    Exits 0 only if every answer was the current model's, every copy is accounted for, and the sequential test
    found that the other model differs by more than the current one does from itself.
    """
    from router.cli.demo.shadow.scenario import Shadowed

    _run(Shadowed(), seconds, users, rate, port, control_port, hold, seed)


@app.command(epilog="Example: turnout demo bandit --seconds 20")
def bandit(
    seconds: Seconds = 40,
    users: UserNumber = 2000,
    rate: Rate = 150,
    port: Port = 0,
    control_port: ControlPort = 0,
    hold: Hold = False,
    seed: Seed = 1,
) -> None:
    """Let Thompson sampling move the traffic between three models.

    Exits 0 only if every request and outcome was counted once, the best model got most of the traffic at less
    regret than an even split, and the interval of its advantage excludes none.
    """
    from router.cli.demo.bandit.scenario import ThreeArms

    _run(ThreeArms(), seconds, users, rate, port, control_port, hold, seed)


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


def _refuse_options_before(context: typer.Context, command: str) -> None:
    """They would not reach the command, and nobody would notice."""
    for parameter in context.command.params:
        source = None if parameter.name is None else context.get_parameter_source(parameter.name)
        if source is not None and source.name == "COMMANDLINE":
            option = parameter.opts[0]
            told = f"it goes after {command!r}: turnout demo {command} {option} ..."
            raise typer.BadParameter(told, context, param_hint=repr(option))


def _run(
    scenario: Scenario[Any],
    seconds: float,
    users: int,
    rate: float,
    port: int,
    control_port: int,
    hold: bool,
    seed: int,
) -> None:
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
    raise typer.Exit(asyncio.run(until_signal(run(scenario, options, Console(emoji=False)))))
