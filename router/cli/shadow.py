"""``turnout shadow``: does a candidate answer as the current model does, and where does it not?"""

from __future__ import annotations

from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape

from policies.shadow.verdicts import MORE, NO_MORE
from router.cli.client import Client
from router.cli.contexts import Target
from router.cli.options import Output
from router.cli.showing import rows, show

_STYLES = {MORE: "red", NO_MORE: "green"}
_COLUMNS = ("pair", "pairs#", "failed#", "differ#", "same top#", "overlap#", "ms longer#")


def run(target: Target, name: str | None, examples: int, output: Output) -> None:
    """Print a shadow's report, or which shadows there are."""
    with Client(target) as client:
        if name is None:
            data = msgspec.json.decode(client.get("shadows").body)
            show(output, data, lambda to: _print_list(to, data["shadows"]))
            return
        data = msgspec.json.decode(client.get("shadows", name).body)
        if examples:
            answer = client.get("shadows", name, "examples", limit=examples)
            data["examples"] = msgspec.json.decode(answer.body)["examples"]
    show(output, data, lambda to: _print(to, data))


def _print_list(to: Console, shadows: list[dict[str, Any]]) -> None:
    cells = [
        (each["name"], each["backend"], ", ".join(each["routes"]), f"{each['share']:g}", f"{each['noise']:g}")
        for each in shadows
    ]
    to.print(rows("", ("shadow", "backend", "routes", "share#", "noise#"), cells))


def _print(to: Console, report: dict[str, Any]) -> None:
    style = _STYLES.get(report["decision"], "yellow")
    to.print(f"{escape(report['shadow'])}: [{style}]{escape(report['decision'])}[/]", soft_wrap=True)
    to.print(f"  {escape(report['why'])}", soft_wrap=True)
    title = f"with the client's answer; {100 * (1 - report['alpha']):g} % intervals for any number of looks"
    names = (("candidate", "candidate"), ("noise", "current model"))
    to.print(rows(title, _COLUMNS, [(text, *_cells(report[pair])) for pair, text in names]))
    for each in report.get("examples", ()):
        to.print(escape(f"{each['method']} {each['path']}  ({each['request_id']})"), soft_wrap=True)
        client, other = each["client"], each["other"]
        if client["status"] != other["status"]:
            to.print(f"  status: {client['status']}, candidate {other['status'] or 'no answer'}")
        if not each["differences"]:
            shown = f"{_short(client['body'])}, candidate {_short(other['body'])}"
            to.print(escape(f"  {shown}"), soft_wrap=True)
        for place in each["differences"]:
            values = f"{_value(place['client'])}, candidate {_value(place['other'])}"
            to.print(escape(f"  {place['pointer'] or '(the whole)'}: {values}"), soft_wrap=True)


def _cells(pairs: dict[str, Any]) -> tuple[str, ...]:
    share, top = pairs["disagreement"], pairs["top_agreement"]
    overlap, longer = pairs["rank_overlap"], pairs["seconds_more"]
    return (
        f"{pairs['pairs']:,}",
        f"{pairs['failed']:,}",
        "" if share is None else _interval(share, 100, ".2f", " %"),
        "" if top is None else _interval(top, 100, ".2f", " %"),
        "" if overlap is None else _interval(overlap, 1, ".3f", ""),
        "" if longer is None else _interval(longer, 1000, "+.2f", ""),
    )


def _interval(found: dict[str, float | None], scale: float, form: str, unit: str) -> str:
    estimate, low, high = (None if each is None else each * scale for each in found.values())
    text = f"{estimate or 0.0:{form}}{unit}"
    return text if low is None or high is None else f"{text}\n{low:{form}} to {high:{form}}"


def _value(text: str | None) -> str:
    return "nothing" if text is None else text


def _short(body: str | None) -> str:
    return "not shown" if body is None else repr(body if len(body) <= 60 else body[:57] + "...")
