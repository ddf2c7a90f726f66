"""What may be asked and changed about backends, routes, and the configuration as a whole?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from msgspec import Struct

from router.config_file import read_settings
from router.control import edits
from router.control.api.endpoint import Answer, Call, Endpoint
from router.control.api.experiment_view import status_of
from router.control.api.queries import Apply, Wanted, Why
from router.control.beginning import state_or_nothing
from router.control.changes import AppliedFile, Edit, change, follow, read_state, record_of
from router.control.file_digest import digest_of
from router.control.movement import Move, moves
from router.control.own_thread import in_own_thread
from router.control.preconditions import PreconditionFailed, check_match, entity_tag
from router.description import describe
from router.problems import pointer_of
from router.settings import Backend, Route, Settings
from router.state import Epoch, State
from router.store.versions import Change

_BACKEND = "/api/v1/backends/{name}"


class BackendList(Struct, frozen=True, kw_only=True):
    """Backends by name."""

    version: int
    backends: dict[str, Backend]


class Routes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All routes; each change replaces them together."""

    routes: tuple[Route, ...]


class Preview(Struct, frozen=True, kw_only=True):
    """What would happen: nothing where ``changes`` is false. ``version`` is the one it was computed from, 0
    where there is none yet.

    ``recorded`` says that it is known to be what the file of that name said last; applying it makes a version
    where it is not, even one that changes nothing else. ``warnings`` are about what is allowed, and perhaps
    not meant.
    """

    version: int
    changes: bool
    recorded: bool
    difference: tuple[Change, ...]
    epochs: dict[str, Epoch]
    moves: tuple[Move, ...]
    warnings: tuple[str, ...]


class Applied(Struct, frozen=True, kw_only=True):
    """What happened: the version in force, the difference that it made, and the epochs that it opened.

    ``changed`` is false where nothing was different, also where a file's name was put on record.
    """

    version: int
    changed: bool
    difference: tuple[Change, ...]
    epochs: dict[str, Epoch]


async def list_backends(call: Call) -> Answer:
    """All of them."""
    state = await read_state(call.desk.redis)
    return Answer(BackendList(version=state.version, backends=state.settings.backends))


async def read_backend(call: Call) -> Answer:
    """One of them."""
    state = await read_state(call.desk.redis)
    return _backend(state, call.path["name"])


async def put_backend(call: Call) -> Answer:
    """Create one, or replace one: that needs If-Match."""
    name = call.path["name"]
    created = False

    def edit(state: State) -> Edit:
        nonlocal created
        present = state.settings.backends.get(name)
        created = present is None
        if present is not None:
            check_match(call.if_match, state, present, (pointer_of(("backends", name)),))
        elif call.if_match:
            raise PreconditionFailed(None, (), "")
        return edits.set_part(state, "backends", name, call.data)

    state = await call.change(edit)
    answer = _backend(state, name)
    return Answer(answer.value, 201 if created else 200, answer.etag)


async def delete_backend(call: Call) -> Answer:
    """Remove what nothing uses."""
    name = call.path["name"]

    def edit(state: State) -> Edit:
        present = edits.found("backend", state.settings.backends, name)
        check_match(call.if_match, state, present, (pointer_of(("backends", name)),))
        return edits.remove_backend(state, name)

    await call.change(edit)
    return Answer(status=204)


async def read_routes(call: Call) -> Answer:
    """All of them."""
    return _routes(await read_state(call.desk.redis))


async def put_routes(call: Call) -> Answer:
    """Replace them all."""

    def edit(state: State) -> Edit:
        check_match(call.if_match, state, state.settings.routes, ("/routes",))
        return edits.set_routes(state, call.data)

    return _routes(await call.change(edit))


async def read_configuration(call: Call) -> Answer:
    """Everything."""
    state = await read_state(call.desk.redis)
    return Answer(state.settings, etag=_whole_tag(state))


async def put_configuration(call: Call) -> Answer:
    """Apply a whole configuration."""
    before: State | None = None

    def edit(state: State) -> Edit:
        nonlocal before
        before = state
        check_match(call.if_match, state, (state.settings, state.endings), ("",))
        made = edits.set_configuration(state, call.data, prune=call.query.prune)
        return replace(made, file=_file_of(call))

    author = call.author
    if not author.why and call.query.source:
        author = replace(author, why=f"{call.query.source} was applied")
    state = await change(
        call.desk.redis, edit, author, call.desk.clock, partial(state_or_nothing, data_dir=call.desk.data_dir)
    )
    record = record_of(before, state, call.author, call.desk.clock())
    applied = Applied(
        version=state.version,
        changed=bool(record.difference or record.epochs),
        difference=record.difference,
        epochs=record.epochs,
    )
    return Answer(applied, etag=_whole_tag(state))


async def validate(call: Call) -> Answer:
    """Say what a configuration would do; nothing is changed."""
    state = await state_or_nothing(call.desk.redis, call.desk.data_dir, key=bytes(32))
    now = call.desk.clock()
    edit = partial(edits.set_configuration, state, call.data, prune=call.query.prune)
    following = await in_own_thread(lambda: follow(state, edit(), now), "validate")
    record = record_of(state, following, call.author, now)
    file = await in_own_thread(partial(_file_of, call), "validate")
    preview = Preview(
        version=state.version,
        changes=following is not state,
        recorded=file is None or state.files.get(file.name) == file.digest,
        difference=record.difference,
        epochs=record.epochs,
        moves=moves(state, following),
        warnings=(*_resting(state, call.data), *describe(following.settings).warnings),
    )
    return Answer(preview, etag=_whole_tag(state))


def _file_of(call: Call) -> AppliedFile | None:
    """The file that the body is, if it is one; `InvalidConfiguration` where it does not stand by itself."""
    name, prune = call.query.source, call.query.prune
    return AppliedFile(name, digest_of(read_settings(call.data)), whole=prune) if name else None


def _resting(state: State, data: object) -> tuple[str, ...]:
    """What a reader of the configuration might take for running."""
    found = {
        name: status_of(state, name)
        for name in edits.unspoken(state, data)
    }
    return tuple(
        f"experiment {name} is {status} and stays so: the configuration does not say whether it is running"
        for name, status in found.items()
    )


def _backend(state: State, name: str) -> Answer:
    backend = edits.found("backend", state.settings.backends, name)
    return Answer(backend, etag=entity_tag(state, backend))


def _routes(state: State) -> Answer:
    return Answer(Routes(routes=state.settings.routes), etag=entity_tag(state, state.settings.routes))


def _whole_tag(state: State) -> str:
    return entity_tag(state, (state.settings, state.endings))


_reading: Callable[..., Endpoint] = partial(Endpoint, method="GET", tagged=True)
_changing: Callable[..., Endpoint] = partial(
    Endpoint, role="operator", query=Why, guarded=True, tagged=True, checked=False
)
_ONE: dict[int, Any] = {200: Backend}

ENDPOINTS = (
    _reading(
        path="/api/v1/backends",
        name="list_backends",
        summary="All backends",
        handler=list_backends,
        answers={200: BackendList},
        tagged=False,
    ),
    _reading(
        path=_BACKEND,
        name="read_backend",
        summary="One backend, with its ETag",
        handler=read_backend,
        answers=_ONE,
    ),
    _changing(
        method="PUT",
        path=_BACKEND,
        name="put_backend",
        summary="Create a backend, or replace one (If-Match is then required)",
        handler=put_backend,
        answers={200: Backend, 201: Backend},
        body=Backend,
        refusals=(409,),
    ),
    _changing(
        method="DELETE",
        path=_BACKEND,
        name="delete_backend",
        summary="Remove a backend that no route and no variant uses",
        handler=delete_backend,
        answers={204: None},
        refusals=(409,),
    ),
    _reading(
        path="/api/v1/routes",
        name="read_routes",
        summary="All routes, with their ETag",
        handler=read_routes,
        answers={200: Routes},
    ),
    _changing(
        method="PUT",
        path="/api/v1/routes",
        name="put_routes",
        summary="Replace all routes",
        handler=put_routes,
        answers={200: Routes},
        body=Routes,
    ),
    _reading(
        path="/api/v1/configuration",
        name="read_configuration",
        summary="The whole configuration, as a file would hold it, with its ETag",
        handler=read_configuration,
        answers={200: Settings},
    ),
    _changing(
        method="PUT",
        path="/api/v1/configuration",
        name="put_configuration",
        summary="Apply a whole configuration, also the first; what is not named stays, unless prune is true",
        handler=put_configuration,
        answers={200: Applied},
        body=Settings,
        query=Apply,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/validate",
        name="validate",
        summary="What would this configuration change, and what share of units would move?",
        handler=validate,
        answers={200: Preview},
        body=Settings,
        checked=False,
        query=Wanted,
        tagged=True,
    ),
)
