"""What does one see of a canary?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from router.cli.demo.canary.configuration import FAIL_SHARE, STEPS
from router.cli.demo.canary.reading import Act, Reading
from router.cli.demo.configuration import CHALLENGER, CONTROL
from router.cli.demo.users import Tally

CANDIDATES: Mapping[Act, str] = {
    "failing": f"a candidate that fails {FAIL_SHARE:.0%} of its requests",
    "fixed": "a candidate that does not fail",
}


def make_table(progress: str, tally: Tally, reading: Reading) -> RenderableType:
    """Phase, step and verdict, the evidence by guardrail, and who gets how much."""
    policy = reading.policy
    table = Table(title=f"digits: {CANDIDATES[reading.act]}", title_justify="left")
    table.add_column("guardrail")
    table.add_column("verdict")
    for column in ("champion", "challenger", "harm", "surely below", "tolerated", "p-value for harm"):
        table.add_column(column, justify="right")
    for rail in policy.findings.get("guardrails", ()):
        names = ("control", "candidate", "harm", "harm_upper", "margin", "p_value")
        table.add_row(rail["name"], rail["verdict"], *(_number(rail[name]) for name in names))
    weights = ", ".join(f"{name} {policy.share(name):.0%} of users" for name in (CONTROL, CHALLENGER))
    return Group(
        table,
        Text(f"{_standing(reading)}; {policy.why}"),
        Text(f"{progress}   {weights}   {_answers(tally)}"),
    )


def make_line(tally: Tally, reading: Reading) -> str:
    """The same in one line."""
    rails = "; ".join(_rail(rail) for rail in reading.policy.findings.get("guardrails", ()))
    parts = (f"{CANDIDATES[reading.act]}: {_standing(reading)}", rails, reading.policy.why, _answers(tally))
    return "; ".join(part for part in parts if part)


def _standing(reading: Reading) -> str:
    policy = reading.policy
    step = f", step {policy.step} of {len(STEPS)}" if policy.step else ""
    share = f" at {policy.share(CHALLENGER):.0%}, verdict: {policy.verdict or '-'}"
    return f"{policy.phase or 'not begun'}{step}{share}"


def _rail(rail: Mapping[str, Any]) -> str:
    pair = f"{_number(rail['candidate'])} against {_number(rail['control'])}"
    return f"{rail['name']} {pair} (p for harm {_number(rail['p_value'])}, {rail['verdict']})"


def _answers(tally: Tally) -> str:
    return f"{tally.answered.total():,} requests answered, {tally.models_failures:,} failed by the candidate"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
