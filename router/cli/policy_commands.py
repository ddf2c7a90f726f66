"""Which commands are about policies: what they do and planned, and what operators tell them?"""

from __future__ import annotations

from typing import Annotated

import typer

from router.cli.options import ContextName, ExperimentName, Output, OutputOption, Url, Why

app = typer.Typer()

_PANEL = "Policies"


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout policy ranker")
def policy(
    experiment: ExperimentName,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Show what an experiment's policy does now, and by which findings."""
    from router.cli import policies as command
    from router.cli.contexts import target_of

    command.policy(target_of(url, context), experiment, output)


@app.command(
    rich_help_panel=_PANEL,
    epilog="Example: turnout plans ranker. Computed again: turnout plans ranker --epoch 7 --replay",
)
def plans(
    experiment: ExperimentName,
    epoch: Annotated[
        int | None, typer.Option(min=1, help="The plan that opened this epoch.", show_default="all")
    ] = None,
    replay: Annotated[
        bool,
        typer.Option("--replay", help="With --epoch: exit code 1 unless computing it again gives the same."),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 20,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Show the epochs of an experiment, which of them its policy opened, and why."""
    from router.cli import policies as command
    from router.cli.contexts import target_of

    target = target_of(url, context)
    if epoch is None:
        if replay:
            raise typer.BadParameter("--replay needs --epoch, the plan that is computed again")
        command.plans(target, experiment, limit, output)
        return
    raise typer.Exit(command.plan(target, experiment, epoch, replay=replay, output=output))


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout confirm ranker --why 'looks good'")
def confirm(
    experiment: ExperimentName,
    why: Why = "",
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Open the gate that a canary waits at, or let a paused one go on."""
    _tell("confirm", experiment, why, url, context, output)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout promote ranker")
def promote(
    experiment: ExperimentName,
    why: Why = "",
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Give a canary's candidate all of the traffic, at once and whatever the evidence says."""
    _tell("promote", experiment, why, url, context, output)


@app.command(rich_help_panel=_PANEL, epilog="Example: turnout abort ranker --why 'customers complain'")
def abort(
    experiment: ExperimentName,
    why: Why = "",
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Take all traffic from a canary's candidate, at once."""
    _tell("rollback-canary", experiment, why, url, context, output)


def _tell(
    action: str, experiment: str, why: str, url: str | None, context: str | None, output: Output
) -> None:
    from router.cli import policies as command
    from router.cli.contexts import target_of

    command.tell(target_of(url, context), experiment, action, why=why, output=output)


@app.command(
    rich_help_panel=_PANEL,
    epilog='Example: curl -H "$(turnout force ranker challenger | head -1)" http://127.0.0.1:8080/v1/ranker',
)
def force(
    experiment: ExperimentName,
    variant: Annotated[str, typer.Argument(help="One of its variants.", show_default=False)],
    seconds: Annotated[int, typer.Option(min=1, max=7 * 86400, help="For how many seconds.")] = 3600,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Print the signed header by which a test's requests get one variant, and are never counted."""
    from router.cli import force as command
    from router.cli.contexts import target_of

    command.run(target_of(url, context), experiment, variant, seconds, output)
