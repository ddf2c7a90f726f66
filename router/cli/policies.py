"""How does an operator look at a policy and its plans, and tell it to go on, up or back?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.markup import escape

from router.cli.change_lines import when
from router.cli.client import Client
from router.cli.contexts import Target
from router.cli.options import Output
from router.cli.showing import rows, show

REPLAY_DIFFERS = 1


class Policy(Struct, frozen=True):
    """A policy as it stands; of the control plane's answer what is shown."""

    experiment: str
    kind: str
    epoch: int | None
    weights: dict[str, float]
    phase: str | None
    step: int | None
    verdict: str | None
    why: str
    findings: dict[str, Any]
    planned: float | None


class Line(Struct, frozen=True):
    """An epoch, and who opened it."""

    epoch: int
    started: float
    why: str
    weights: dict[str, float]
    by: str


class Plans(Struct, frozen=True):
    """The newest epochs first."""

    experiment: str
    plans: tuple[Line, ...]


class Planned(Struct, frozen=True):
    """What was planned."""

    weights: dict[str, float]
    why: str


class Record(Struct, frozen=True):
    """The record of a plan."""

    experiment: str
    epoch: int
    at: float
    policy: dict[str, Any]
    seed: int | None
    planned: Planned


class Plan(Struct, frozen=True):
    """A plan's record, and whether it was computed again to the same."""

    record: Record
    replayed: bool | None
    problem: str


def policy(target: Target, name: str, output: Output) -> None:
    """Print how a policy stands, and why."""
    with Client(target) as client:
        answer = client.get("experiments", name, "policy")
    show(output, msgspec.json.decode(answer.body), lambda to: _print_policy(to, answer.read(Policy)))


def tell(target: Target, name: str, action: str, *, why: str, output: Output) -> None:
    """Tell a policy an operator's word; ``action`` is the endpoint's."""
    with Client(target) as client:
        answer = client.send("POST", "experiments", name, action, why=why)
    show(output, msgspec.json.decode(answer.body), lambda to: _print_policy(to, answer.read(Policy)))


def plans(target: Target, name: str, limit: int, output: Output) -> None:
    """Print the newest epochs, and which of them the policy opened."""
    with Client(target) as client:
        answer = client.get("experiments", name, "plans", limit=limit)

    def table(to: Console) -> None:
        cells = [
            (str(each.epoch), when(each.started), each.by, _weights(each.weights), each.why)
            for each in answer.read(Plans).plans
        ]
        to.print(rows("", ("epoch#", "started", "by", "weights", "why"), cells))

    show(output, msgspec.json.decode(answer.body), table)


def plan(target: Target, name: str, epoch: int, *, replay: bool, output: Output) -> int:
    """Print the plan that opened an epoch; with ``replay`` the status says whether it came out the same."""
    with Client(target) as client:
        answer = client.get("experiments", name, "plans", str(epoch))
    found = answer.read(Plan)

    def table(to: Console) -> None:
        record = found.record
        kind = record.policy.get("kind", "")
        head = f"epoch {record.epoch} of {record.experiment}, planned {when(record.at)} by its {kind}"
        to.print(escape(f"{head}: {record.planned.why}"), soft_wrap=True)
        to.print(escape(f"weights {_weights(record.planned.weights)}"), soft_wrap=True)
        if replay:
            same = {True: "the same", False: "something else", None: f"nothing: {found.problem}"}
            to.print(escape(f"computed again, it gives {same[found.replayed]}"), soft_wrap=True)

    show(output, msgspec.json.decode(answer.body), table)
    return REPLAY_DIFFERS if replay and not found.replayed else 0


def _print_policy(to: Console, found: Policy) -> None:
    stands = [f"{found.experiment}: {found.kind}"]
    if found.phase is not None:
        stands.append(found.phase)
    if found.step:
        stands.append(f"step {found.step} of {found.findings.get('steps', '?')}")
    if found.verdict is not None:
        stands.append(f"verdict {found.verdict}")
    to.print(escape(", ".join(stands)), soft_wrap=True)
    if found.why:
        to.print(escape(found.why), soft_wrap=True)
    if found.epoch is not None:
        to.print(escape(f"epoch {found.epoch}, weights {_weights(found.weights)}"), soft_wrap=True)
    rails = [each for each in found.findings.get("guardrails", ()) if isinstance(each, dict)]
    if rails:
        about = ("guardrail", "verdict", "control#", "candidate#", "harm#", "at most#", "margin#")
        columns = (*about, "all of the control#", "p#")
        names = ("control", "candidate", "harm", "harm_upper", "margin", "whole_control", "p_value")
        cells = [
            (str(each.get("name")), str(each.get("verdict")), *(_number(each.get(name)) for name in names))
            for each in rails
        ]
        to.print(rows("", columns, cells))


def _weights(weights: Mapping[str, float]) -> str:
    return " ".join(f"{name}={weight:g}" for name, weight in weights.items())


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "-"
