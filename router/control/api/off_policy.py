"""What would other policies have earned, of an experiment that decides by a request's features?"""

from __future__ import annotations

import asyncio
from importlib import import_module

from msgspec import Struct

from router.control import edits
from router.control.api.endpoint import Answer, Call, Endpoint
from router.control.changes import read_state


class ValueView(Struct, frozen=True, kw_only=True):
    """A value in the reward's unit with its 95 % interval, or the reason why there is none."""

    estimator: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    effective_sample_size: float | None = None
    reason: str = ""


class AlternativeView(Struct, frozen=True, kw_only=True):
    """What one alternative would have earned, by each estimator, and how much more than an even split."""

    name: str
    text: str
    values: tuple[ValueView, ...]
    over_even: tuple[ValueView, ...]


class OffPolicyView(Struct, frozen=True, kw_only=True):
    """Values on the logged decisions: ``logged`` is what was earned itself, on average."""

    experiment: str
    metric: str
    goal: str
    decisions: int
    logged: float | None
    alternatives: tuple[AlternativeView, ...]


async def off_policy(call: Call) -> Answer:
    """Values of the alternatives."""
    name = call.path["name"]
    state = await read_state(call.desk.redis)
    experiment = edits.experiment_of(state, name)
    epoch = state.epochs.get(name)
    if epoch is None or epoch.rule is None:
        raise edits.Conflict(
            f"experiment {name!r} does not decide by features, so no decision of it is logged; allowed: "
            "experiments with the policy linear-thompson or linucb"
        )
    # numpy and scipy take a second to import: not on the loop, and not before somebody asks.
    valuing = await asyncio.to_thread(import_module, "router.control.valuing")
    return Answer(await valuing.values_of(call.desk.redis, name, experiment, epoch, call.desk.clock()))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/experiments/{name}/off-policy",
        name="read_off_policy_values",
        summary="What would other policies have earned on the logged decisions?",
        handler=off_policy,
        answers={200: OffPolicyView},
        refusals=(409,),
    ),
)
