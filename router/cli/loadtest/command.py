"""Which options does ``turnout loadtest`` take?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from router.cli.options import ContextName, Output, OutputOption, Url

app = typer.Typer()

# Requests a second; more than one process sends, and as many as it can keep in mind for a step.
_MOST = 100_000


def _duration(text: str) -> float:
    from router.quantities import DURATIONS, duration

    try:
        plain = text.replace(".", "", 1).isdecimal()  # as in a file, where 2 is two seconds
        return float(duration(f"{text}s" if plain else text))
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r}; allowed: {DURATIONS}") from None


@app.command(
    rich_help_panel="Operate a running router",
    epilog="Example: turnout loadtest candidate --from-traffic /v1/models/ranker --to-rate 500",
)
def loadtest(
    backend: Annotated[
        str, typer.Argument(help="A backend's name at the router, or http://HOST:PORT.", show_default=False)
    ],
    to_rate: Annotated[float, typer.Option(min=0.1, max=_MOST, help="The last rate, in requests a second.")],
    from_file: Annotated[
        Path | None,
        typer.Option(
            help="Requests, one JSON object a line: method, path, headers, body.", show_default=False
        ),
    ] = None,
    from_traffic: Annotated[
        str | None,
        typer.Option(metavar="ROUTE", help="Requests of live traffic on this route.", show_default=False),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="Of live traffic, how many.")] = 200,
    patience: Annotated[str, typer.Option(help="How long to wait for live traffic.")] = "30s",
    listen: Annotated[
        str, typer.Option(help="This machine's address, as the router's workers reach it.")
    ] = "127.0.0.1",
    save: Annotated[
        Path | None, typer.Option(help="Keep the requests in a file.", show_default=False)
    ] = None,
    start_rate: Annotated[
        float | None,
        typer.Option(min=0.1, help="The first rate.", show_default="a sixteenth of the last"),
    ] = None,
    factor: Annotated[
        float, typer.Option(min=1.05, max=10, help="From one rate to the next, at most.")
    ] = 1.5,
    step: Annotated[str, typer.Option(help="How long each rate is held.")] = "10s",
    max_errors: Annotated[
        float,
        typer.Option(min=0, max=1, help="The limit of the share of errors: 429, 500 and above, no answer."),
    ] = 0.01,
    max_p99: Annotated[str, typer.Option(help="The limit of the 99th percentile.")] = "1s",
    connections: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many at once.")] = 256,
    timeout: Annotated[str, typer.Option(help="When a request has failed.")] = "10s",
    seed: Annotated[int, typer.Option(help="Of the arrivals' times.")] = 1,
    url: Url = None,
    context: ContextName = None,
    output: OutputOption = Output.table,
) -> None:
    """Raise the rate of requests to a backend until it breaks a limit, and say how much it can take.

    Arrivals do not wait for answers (an open loop), and latency counts from when a request was due. Requests
    carry x-turnout-shadow: 1. Exits 1 where already the first rate was too much.
    """
    import asyncio

    from router.cli.contexts import target_of
    from router.cli.demo.interruption import until_signal
    from router.cli.loadtest.run import Options, run
    from router.cli.loadtest.steps import Limits

    if start_rate is not None and start_rate > to_rate:
        raise typer.BadParameter(f"--start-rate is {start_rate:g}; allowed: at most --to-rate, {to_rate:g}")
    options = Options(
        backend=backend,
        from_file=from_file,
        from_traffic=from_traffic,
        count=count,
        patience=_duration(patience),
        listen=listen,
        save=save,
        start_rate=start_rate or to_rate / 16,
        to_rate=to_rate,
        factor=factor,
        step_seconds=_duration(step),
        limits=Limits(max_errors, _duration(max_p99)),
        connections=connections,
        timeout=_duration(timeout),
        seed=seed,
    )
    raise typer.Exit(asyncio.run(until_signal(run(options, target_of(url, context), output))))
