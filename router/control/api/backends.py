"""What may be asked and changed about backends and routes?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from router.control import edits
from router.control.api.endpoint import Answer, Call, Endpoint
from router.control.api.queries import Why
from router.control.changes import Edit, read_state
from router.control.preconditions import PreconditionFailed, check_match, entity_tag
from router.problems import pointer_of
from router.settings import Backend, Route
from router.state import State

_BACKEND = "/api/v1/backends/{name}"


class BackendList(Struct, frozen=True, kw_only=True):
    """Backends by name."""

    version: int
    backends: dict[str, Backend]


class Routes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All routes; each change replaces them together."""

    routes: tuple[Route, ...]


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


def _backend(state: State, name: str) -> Answer:
    backend = edits.found("backend", state.settings.backends, name)
    return Answer(backend, etag=entity_tag(state, backend))


def _routes(state: State) -> Answer:
    return Answer(Routes(routes=state.settings.routes), etag=entity_tag(state, state.settings.routes))


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
)
