"""What may be asked and changed about experiments?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec import Struct

from router.control import edits
from router.control.api.endpoint import Answer, Call, Endpoint
from router.control.api.experiment_view import ExperimentList, ExperimentView, view
from router.control.api.queries import Listing, Why
from router.control.changes import Edit, read_state
from router.control.preconditions import PreconditionFailed, check_match, entity_tag
from router.problems import pointer_of
from router.settings import Experiment
from router.state import Ending, State

_PATH = "/api/v1/experiments/{name}"


class Weights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The weights of all of an experiment's variants; they replace those that it had."""

    weights: dict[str, float]


class Decision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which variant won."""

    winner: str


def _answer(state: State, name: str, status: int = 200) -> Answer:
    return Answer(view(state, name), status, entity_tag(state, _thing(state, name)))


def _thing(state: State, name: str) -> tuple[Experiment | None, Ending | None]:
    return state.settings.experiments.get(name), state.endings.get(name)


def _check(call: Call, state: State, name: str) -> None:
    edits.experiment_of(state, name)
    pointers = (pointer_of(("experiments", name)), pointer_of(("endings", name)))
    check_match(call.if_match, state, _thing(state, name), pointers)


async def list_experiments(call: Call) -> Answer:
    """All of them."""
    state = await read_state(call.desk.redis)
    views = [view(state, name) for name in sorted(state.settings.experiments)]
    shown = [each for each in views if call.query.archived or each.status != "archived"]
    return Answer(ExperimentList(version=state.version, experiments=tuple(shown)))


async def read_experiment(call: Call) -> Answer:
    """One of them."""
    return _answer(await read_state(call.desk.redis), call.path["name"])


async def put_experiment(call: Call) -> Answer:
    """Create one, or replace one: that needs If-Match."""
    name = call.path["name"]
    created = False

    def edit(state: State) -> Edit:
        nonlocal created
        created = name not in state.settings.experiments
        if not created:
            _check(call, state, name)
        elif call.if_match:
            raise PreconditionFailed(None, (), "")
        return edits.set_part(state, "experiments", name, call.data)

    state = await call.change(edit)
    return _answer(state, name, 201 if created else 200)


async def patch_experiment(call: Call) -> Answer:
    """Other weights."""
    return await _change(call, lambda state, name: edits.set_weights(state, name, call.body.weights))


async def start_experiment(call: Call) -> Answer:
    """Assign."""
    return await _change(call, edits.start)


async def pause_experiment(call: Call) -> Answer:
    """Assign no more, for now."""
    return await _change(call, edits.pause)


async def stop_experiment(call: Call) -> Answer:
    """End."""
    now = call.desk.clock()
    return await _change(call, lambda state, name: edits.stop(state, name, call.body.winner, now))


async def archive_experiment(call: Call) -> Answer:
    """Put away."""
    now = call.desk.clock()
    return await _change(call, lambda state, name: edits.archive(state, name, now))


async def _change(call: Call, wish: Callable[[State, str], Edit]) -> Answer:
    name = call.path["name"]

    def edit(state: State) -> Edit:
        _check(call, state, name)
        return wish(state, name)

    return _answer(await call.change(edit), name)


_changing = partial(Endpoint, role="operator", query=Why, guarded=True, tagged=True)
_SHOWN = {200: ExperimentView}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/experiments",
        name="list_experiments",
        summary="All experiments; archived ones only when they are asked for",
        handler=list_experiments,
        answers={200: ExperimentList},
        query=Listing,
    ),
    Endpoint(
        method="GET",
        path=_PATH,
        name="read_experiment",
        summary="One experiment, archived or not, with its ETag",
        handler=read_experiment,
        answers=_SHOWN,
        tagged=True,
    ),
    _changing(
        method="PUT",
        path=_PATH,
        name="put_experiment",
        summary="Create an experiment, or replace one (If-Match is then required)",
        handler=put_experiment,
        answers={200: ExperimentView, 201: ExperimentView},
        body=Experiment,
        checked=False,
        refusals=(409,),
    ),
    _changing(
        method="PATCH",
        path=_PATH,
        name="patch_experiment",
        summary="Replace the weights of all of its variants",
        handler=patch_experiment,
        answers=_SHOWN,
        body=Weights,
    ),
    _changing(
        method="POST",
        path=f"{_PATH}/start",
        name="start_experiment",
        summary="Assign units, from a new epoch on",
        handler=start_experiment,
        answers=_SHOWN,
        refusals=(409,),
    ),
    _changing(
        method="POST",
        path=f"{_PATH}/pause",
        name="pause_experiment",
        summary="Keep the weights and assign nobody: the routes' own backends serve",
        handler=pause_experiment,
        answers=_SHOWN,
    ),
    _changing(
        method="POST",
        path=f"{_PATH}/stop",
        name="stop_experiment",
        summary="End it with a winner, whose backend becomes that of its routes",
        handler=stop_experiment,
        answers=_SHOWN,
        body=Decision,
    ),
    _changing(
        method="POST",
        path=f"{_PATH}/archive",
        name="archive_experiment",
        summary="Hide what does not run and take it off its routes; its evidence stays",
        handler=archive_experiment,
        answers=_SHOWN,
        refusals=(409,),
    ),
)
