"""What does a policy say now, and which plans has it made, of all that demos show and check?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from router.cli.demo.checks import Check
from router.cli.demo.configuration import METRIC
from router.cli.demo.scenario import OF_EXPERIMENT, fetch

_NEWEST = 200
_PATIENCE = 10.0
_POLL = 0.2


@dataclass(frozen=True, slots=True)
class PolicyNow:
    """How a policy stands; ``phase``, ``step`` and ``verdict`` are a canary's.

    ``planned`` is when it planned last, in unix seconds.
    """

    epoch: int = 0
    weights: Mapping[str, float] = field(default_factory=dict)
    phase: str = ""
    step: int = 0
    verdict: str = ""
    why: str = "nothing is planned yet"
    findings: Mapping[str, Any] = field(default_factory=dict)
    planned: float = 0.0

    def share(self, variant: str) -> float:
        """The share of the traffic that a variant is to get; 0 before there are weights."""
        total = sum(self.weights.values())
        return self.weights.get(variant, 0.0) / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a plan knew of one variant, over all epochs that it looked at."""

    requests: int = 0
    errors: int = 0
    outcomes: int = 0


@dataclass(frozen=True, slots=True)
class PlanMade:
    """A plan that opened an epoch ``at`` unix seconds; ``replayed``: it was computed again to the same."""

    epoch: int
    at: float
    why: str
    phase: str
    weights: Mapping[str, float]
    seen: Mapping[str, Seen]
    replayed: bool


def read_policy(view: Mapping[str, Any]) -> PolicyNow:
    """From what ``GET /api/v1/experiments/NAME/policy`` answers."""
    return PolicyNow(
        epoch=view["epoch"] or 0,
        weights=view["weights"],
        phase=view["phase"] or "",
        step=view["step"] or 0,
        verdict=view["verdict"] or "",
        why=view["why"],
        findings=view["findings"],
        planned=view["planned"] or 0.0,
    )


def read_plan(view: Mapping[str, Any]) -> PlanMade:
    """From what ``GET /api/v1/experiments/NAME/plans/EPOCH`` answers."""
    record = view["record"]
    planned = record["planned"]
    return PlanMade(
        epoch=record["epoch"],
        at=record["at"],
        why=planned["why"],
        phase=planned["findings"].get("phase", ""),
        weights=planned["weights"],
        seen=_seen((record["observed"] or {"epochs": []})["epochs"]),
        replayed=view["replayed"] is True,
    )


async def fetch_policy(control: httpx.AsyncClient) -> PolicyNow:
    """How the demo's policy stands."""
    return read_policy(await fetch(control, f"{OF_EXPERIMENT}/policy"))


async def fetch_policy_after(control: httpx.AsyncClient, moment: float) -> PolicyNow:
    """How it stands once it has planned after ``moment`` (unix seconds), or when that takes too long."""
    policy = await fetch_policy(control)
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while policy.planned <= moment:
                await asyncio.sleep(_POLL)
                policy = await fetch_policy(control)
    return policy


async def fetch_plans(control: httpx.AsyncClient) -> tuple[PlanMade, ...]:
    """The plans by which the policy opened epochs, the oldest first, each computed again by the service."""
    lines = (await fetch(control, f"{OF_EXPERIMENT}/plans", limit=_NEWEST))["plans"]
    numbers = sorted(line["epoch"] for line in lines if line["by"] == "policy")
    return tuple([read_plan(await fetch(control, f"{OF_EXPERIMENT}/plans/{number}")) for number in numbers])


def replays(plans: Sequence[PlanMade]) -> Check:
    """Whether each plan follows again from its record."""
    same = sum(plan.replayed for plan in plans)
    figures = f"{same} of {len(plans)} plans, computed again from what was stored with them"
    return Check("every plan follows again from its record", 0 < same == len(plans), figures)


def _seen(epochs: Iterable[Mapping[str, Any]]) -> dict[str, Seen]:
    found: dict[str, Seen] = {}
    for epoch in epochs:
        for name, variant in epoch["variants"].items():
            before = found.get(name, Seen())
            outcomes = variant["metrics"].get(METRIC, {"count": 0})["count"]
            found[name] = Seen(
                requests=before.requests + variant["requests"],
                errors=before.errors + round(variant["errors"]["total"]),
                outcomes=before.outcomes + round(outcomes),
            )
    return found
