"""How is a request served: who calls, may they, what do they send, and what is answered and recorded?"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from router.control.access import LOCAL, UNKNOWN, Caller, Forbidden, Gate, Unauthorized, peer_of, require
from router.control.api.endpoint import Answer, Call, Desk, Endpoint
from router.control.api.problem import MEDIA_TYPE, encode, problem, problem_of
from router.control.api.reading import discard, read_body, read_data, read_query
from router.control.changes import Author, entry_of
from router.errors import StoreUnavailable, TurnoutError
from router.events import event
from router.store.audit import log_entry

RETRY_AFTER_SECONDS = 1
_READS = ("GET", "HEAD")

log = logging.getLogger("turnout.control")


def routes_of(endpoints: Iterable[Endpoint], desk: Desk, gate: Gate) -> list[Route]:
    """One route for each path, so that a method that it has not is answered with those that it has."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return [
        Route(path, _dispatch(methods, desk, gate), methods=list(methods))
        for path, methods in by_path.items()
    ]


def _dispatch(
    methods: dict[str, Endpoint], desk: Desk, gate: Gate
) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        endpoint = methods["GET" if request.method == "HEAD" else request.method]
        return await _serve(endpoint, request, desk, gate)

    return serve


async def _serve(endpoint: Endpoint, request: Request, desk: Desk, gate: Gate) -> Response:
    caller: Caller | None = None
    try:
        if endpoint.role is None:
            await gate.admit(request)
            caller = Caller(LOCAL, "viewer", peer_of(request))
        else:
            caller = await gate.identify(request)
            require(caller, endpoint.role)
        query = read_query(endpoint.query, request)
        data = None
        if endpoint.body is not None:
            data = await read_data(request)
        else:
            await discard(request)
        body = read_body(endpoint.body, data) if endpoint.body is not None and endpoint.checked else None
        author = _author(endpoint, request, caller, getattr(query, "why", ""))
        if_match = request.headers.get("if-match")
        call = Call(desk, caller, author, request.path_params, query, body, data, if_match)
        return _respond(await endpoint.handler(call))
    except TurnoutError as error:
        await _record_refusal(endpoint, request, caller, error, desk)
        return await _refuse(error, desk)


def _author(endpoint: Endpoint, request: Request, caller: Caller | None, why: str = "") -> Author:
    return Author(
        who=UNKNOWN if caller is None else caller.name,
        role="" if caller is None else caller.role,
        peer=peer_of(request) if caller is None else caller.peer,
        action=endpoint.name,
        target=f"{request.method} {request.url.path}",
        why=why,
        status=min(endpoint.answers),
    )


def _respond(answer: Answer) -> Response:
    headers = {"cache-control": "no-store"}
    if answer.etag is not None:
        headers["etag"] = answer.etag
    if isinstance(answer.value, Response):
        return answer.value
    if answer.value is None:
        return Response(status_code=answer.status, headers=headers)
    return Response(encode(answer.value), answer.status, headers, "application/json")


async def _refuse(error: TurnoutError, desk: Desk) -> Response:
    try:
        document = await problem_of(error, desk.redis)
    except StoreUnavailable as away:
        document = await problem_of(away, desk.redis)
    headers = {"cache-control": "no-store"}
    if document.status == 401:
        headers["www-authenticate"] = 'Bearer realm="turnout"'
    if document.status == 503:
        headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    return Response(encode(document), document.status, headers, MEDIA_TYPE)


async def _record_refusal(
    endpoint: Endpoint, request: Request, caller: Caller | None, error: TurnoutError, desk: Desk
) -> None:
    """What was refused goes into the audit log: every attempt at a change, and whoever may not read."""
    barred = isinstance(error, Unauthorized | Forbidden)
    if not barred and (request.method in _READS or endpoint.role in (None, "viewer")):
        return
    author = _author(endpoint, request, caller)
    detail = str(error)[:500]
    event(
        log,
        "refused",
        logging.WARNING,
        who=author.who,
        peer=author.peer,
        action=author.action,
        status=error.status,
        detail=detail,
    )
    entry = entry_of(author, desk.clock(), status=error.status, detail=detail)
    try:
        await log_entry(desk.redis, entry, stranger=caller is None)
    except StoreUnavailable as away:
        event(log, "audit_log_away", logging.WARNING, detail=away)


async def not_routed(request: Request, error: Exception) -> Response:
    """A path or a method that there is not."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    path, allowed = request.url.path, headers.get("Allow", "")
    title, detail = "NotFound", f"there is nothing at {path}; the API's document is at /api/v1/openapi.json"
    if error.status_code == 405:
        title, detail = "MethodNotAllowed", f"{path} does not take {request.method}; allowed: {allowed}"
    elif error.status_code != 404:
        title, detail = "Refused", str(error.detail)
    return Response(encode(problem(title, error.status_code, detail)), error.status_code, headers, MEDIA_TYPE)


async def failed(request: Request, error: Exception) -> Response:
    """A fault of the service's own: the log says which."""
    document = problem("Internal", 500, "the service failed to answer; its log says why")
    return Response(encode(document), 500, media_type=MEDIA_TYPE)
