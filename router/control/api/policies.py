"""What may be asked of policies, and what may operators tell them?"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from msgspec import Struct

from policies.steering import Word
from router.control import edits
from router.control.api.endpoint import Answer, Call, Endpoint
from router.control.api.queries import Newest, Why
from router.control.changes import read_state
from router.control.own_thread import in_own_thread
from router.control.plan_records import replay, same
from router.control.standing import standing
from router.control.steering import tell
from router.in_time import in_time
from router.problems import InvalidConfiguration
from router.state import State
from router.store.plans import PlanRecord, PolicyStatus, read_plan, read_plans, read_status
from router.store.states import read_epochs

_PATH = "/api/v1/experiments/{name}"


class PolicyView(Struct, frozen=True, kw_only=True):
    """What an experiment's policy does, and why. Times are unix seconds.

    ``phase``, ``step`` and ``verdict`` are a canary's. ``weights`` are those in force ``since`` then.
    ``planned`` is when the policy planned last, ``due`` when it does so next, null for one that does not.
    """

    experiment: str
    kind: str
    assigns: bool
    epoch: int | None
    since: float | None
    weights: dict[str, float]
    copies: dict[str, str]
    phase: str | None
    step: int | None
    verdict: str | None
    why: str
    findings: dict[str, Any]
    progress: dict[str, Any]
    planned: float | None
    due: float | None


class PlanLine(Struct, frozen=True, kw_only=True):
    """An epoch: whether a policy opened it, so that its plan can be replayed, or an operator's change did."""

    epoch: int
    started: float
    why: str
    weights: dict[str, float]
    by: Literal["policy", "operator"]


class PlanList(Struct, frozen=True, kw_only=True):
    """The newest epochs first."""

    experiment: str
    plans: tuple[PlanLine, ...]


class PlanView(Struct, frozen=True, kw_only=True):
    """The record of a plan; ``replayed`` is whether computing it again gave the same, null where that failed.

    ``problem`` says why it failed.
    """

    record: PlanRecord
    replayed: bool | None
    problem: str = ""


async def read_policy(call: Call) -> Answer:
    """How a policy stands."""
    name = call.path["name"]
    state = await read_state(call.desk.redis)
    edits.experiment_of(state, name)
    return Answer(_view(state, name, await read_status(call.desk.redis, name)))


async def list_plans(call: Call) -> Answer:
    """The epochs, and which of them a policy opened."""
    name, redis = call.path["name"], call.desk.redis
    edits.experiment_of(await read_state(redis), name)
    epochs = sorted(await read_epochs(redis, name), key=lambda epoch: -epoch.number)[: call.query.limit]
    records = await read_plans(redis, name, {epoch.number: epoch.started for epoch in epochs})
    lines = tuple(
        PlanLine(
            epoch=epoch.number,
            started=epoch.started,
            why=epoch.why,
            weights=epoch.weights,
            by="policy" if epoch.number in records else "operator",
        )
        for epoch in epochs
    )
    return Answer(PlanList(experiment=name, plans=lines))


async def read_one_plan(call: Call) -> Answer:
    """A plan, computed again."""
    name, redis, number = call.path["name"], call.desk.redis, int(call.path["epoch"])
    edits.experiment_of(await read_state(redis), name)
    started = {epoch.number: epoch.started for epoch in await read_epochs(redis, name)}
    if number not in started:
        raise edits.NotFound(f"experiment {name!r} has no epoch {number}; the last one is {len(started)}")
    record = await read_plan(redis, name, number, started[number])
    if record is None:
        raise edits.NotFound(
            f"epoch {number} of experiment {name!r} was not opened by a policy's plan, or its record is no "
            "longer kept"
        )
    return Answer(await in_own_thread(partial(_replayed, record), f"replay {name}"))


async def say(call: Call, word: Word) -> Answer:
    """How the policy stands after an operator's word."""
    name = call.path["name"]
    state = await tell(call.desk.redis, name, word, call.author, call.desk.clock)
    return Answer(_view(state, name, None))


def _replayed(record: PlanRecord) -> PlanView:
    """The plan beside the one that its policy makes now, which may be another policy since, or broken."""
    try:
        plan = in_time(("replay", record.experiment, record.epoch, record.at), partial(replay, record))
        return PlanView(record=record, replayed=same(record, plan))
    except (InvalidConfiguration, ValueError, TimeoutError) as error:
        problem = str(error)
    except Exception as error:
        problem = f"the policy fails with {error!r}"
    return PlanView(record=record, replayed=None, problem=problem)


def _view(state: State, name: str, status: PolicyStatus | None) -> PolicyView:
    """What the state keeps, or what the policy said since."""
    experiment, epoch = state.settings.experiments[name], state.epochs.get(name)
    said = standing(state, name, status)
    findings = {} if said is None else said.findings
    phase, step, verdict = (findings.get(each) for each in ("phase", "step", "verdict"))
    return PolicyView(
        experiment=name,
        kind=str(experiment.policy.get("kind")),
        assigns=state.assigns(name),
        epoch=None if epoch is None else epoch.number,
        since=None if epoch is None else epoch.started,
        weights={} if epoch is None else epoch.weights,
        copies={} if epoch is None else epoch.copies,
        phase=phase if isinstance(phase, str) else None,
        step=step if isinstance(step, int) else None,
        verdict=verdict if isinstance(verdict, str) else None,
        why="" if said is None else said.why,
        findings=findings,
        progress={} if said is None else said.notes,
        planned=None if status is None else status.at,
        due=status.due if status is not None and state.assigns(name) else None,
    )


_saying = partial(
    Endpoint, method="POST", answers={200: PolicyView}, role="operator", query=Why, refusals=(409,)
)

ENDPOINTS = (
    Endpoint(
        method="GET",
        path=f"{_PATH}/policy",
        name="read_policy",
        summary="What does the policy do, why, and by which findings?",
        handler=read_policy,
        answers={200: PolicyView},
    ),
    Endpoint(
        method="GET",
        path=f"{_PATH}/plans",
        name="list_plans",
        summary="The epochs, and which of them the policy opened",
        handler=list_plans,
        answers={200: PlanList},
        query=Newest,
    ),
    Endpoint(
        method="GET",
        path=f"{_PATH}/plans/{{epoch:int}}",
        name="read_plan",
        summary="The plan that opened an epoch, with all that it follows from, computed again",
        handler=read_one_plan,
        answers={200: PlanView},
    ),
    _saying(
        path=f"{_PATH}/confirm",
        name="confirm",
        summary="Open the gate that a canary waits at, or let a paused one go on",
        handler=partial(say, word="confirm"),
    ),
    _saying(
        path=f"{_PATH}/promote",
        name="promote",
        summary="Give a canary's candidate all of the traffic at once",
        handler=partial(say, word="promote"),
    ),
    _saying(
        path=f"{_PATH}/rollback-canary",
        name="rollback_canary",
        summary="Take all traffic from a canary's candidate at once",
        handler=partial(say, word="abort"),
    ),
)
