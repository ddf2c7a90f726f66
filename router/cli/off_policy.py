"""``turnout off-policy``: what would other policies have earned on the logged decisions?"""

from __future__ import annotations

from typing import Any

from rich.console import Console

from router.cli.client import Client
from router.cli.contexts import Target
from router.cli.options import Output
from router.cli.showing import rows, show

_COLUMNS = (
    "policy",
    "estimator",
    "value#",
    "95 % interval#",
    "effective decisions#",
    "more than even, 95 %#",
)


def run(target: Target, experiment: str, output: Output) -> None:
    """Print the values of the alternatives."""
    with Client(target) as client:
        data = client.get("experiments", experiment, "off-policy").read(dict[str, Any])
    show(output, data, lambda to: _print(to, data))


def _print(to: Console, data: dict[str, Any]) -> None:
    logged = "nothing yet" if data["logged"] is None else f"{data['logged']:.6g} on average"
    title = f"{data['experiment']}: {data['decisions']} logged decisions earned {logged} ({data['metric']})"
    cells = [
        (each["text"], value["estimator"], *_cells(value), _more(over))
        for each in data["alternatives"]
        for value, over in zip(each["values"], each["over_even"], strict=True)
    ]
    to.print(rows(title, _COLUMNS, cells))


def _cells(value: dict[str, Any]) -> tuple[str, str, str]:
    if value["value"] is None:
        return "", value["reason"], ""
    interval = f"{value['low']:.6g} to {value['high']:.6g}"
    return f"{value['value']:.6g}", interval, f"{value['effective_sample_size']:.0f}"


def _more(over: dict[str, Any]) -> str:
    return over["reason"] if over["value"] is None else f"{over['low']:+.6g} to {over['high']:+.6g}"
