"""What does the data port answer itself: its health, and the outcomes that are posted to it?"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from router.data.intake import LeftOut, NotJson, Refused, TooMany, judge, parse
from router.errors import StoreUnavailable, TurnoutError
from router.state import State
from router.store.outcomes import Outcome, add

# A large body is judged in slices of a few milliseconds, between which the worker serves other requests.
SLICE: Final = 128
RETRY_AFTER_SECONDS: Final = 1


class Live(Protocol):
    """What a worker routes by at this moment."""

    @property
    def state(self) -> State:
        """The state that it was built from."""
        ...


class TooLarge(TurnoutError):
    """A body of more bytes than are allowed."""

    status = 413


class Incomplete(TurnoutError):
    """A body that ended before it was whole."""

    status = 400


# Counts an outcome by experiment, metric and status; the names are empty where an outcome has no known ones.
Count = Callable[[str, str, str], None]


def make_service(
    live: Callable[[], Live],
    redis: Redis,
    clock: Callable[[], float] = time.time,
    count: Count = lambda experiment, metric, status: None,
    more: Sequence[Route] = (),
) -> Starlette:
    """The application for the data port's own routes: under ``/_turnout/``, and ``more``.

    ``clock`` gives unix seconds.
    """

    async def health(request: Request) -> Response:
        return _json(200, {"status": "ok", "version": live().state.version})

    async def outcomes(request: Request) -> Response:
        state = live().state
        limits = state.settings.limits
        items = parse(await _body(request, limits.outcome_bytes), limits.outcome_items)
        verdicts = await _judge_all(items, state, clock())

        counted = iter(await add(redis, [one for one in verdicts if isinstance(one, Outcome)]))

        results = [_result(verdict, counted) for verdict in verdicts]
        for verdict, result in zip(verdicts, results, strict=True):
            known = (verdict.experiment, verdict.metric) if isinstance(verdict, Outcome) else ("", "")
            count(*known, "left_out" if isinstance(verdict, LeftOut) else result["status"])
        tally = Counter(result["status"] for result in results)
        counts = {status: tally[status] for status in ("accepted", "duplicate", "refused")}
        return _json(202, {**counts, "results": results})

    routes = [
        Route("/_turnout/health", health, methods=["GET"]),
        Route("/_turnout/outcomes", outcomes, methods=["POST"]),
        *more,
    ]

    async def framework_error(request: Request, error: Exception) -> Response:
        """An unknown path or a wrong method, as Starlette finds them."""
        if not isinstance(error, HTTPException):
            raise error
        reason = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "bad-request")
        detail = f"{request.method} {request.url.path} is none of {', '.join(map(_named, routes))}"
        return _problem(error.status_code, reason, detail, dict(error.headers or {}))

    return Starlette(
        routes=routes, exception_handlers={TurnoutError: _own_error, HTTPException: framework_error}
    )


async def _body(request: Request, most: int) -> bytes:
    """The request's body, read no further than it may be long."""
    read = bytearray()
    try:
        async for part in request.stream():
            read += part
            if len(read) > most:
                raise TooLarge(f"the body has more than {most} bytes; allowed: at most {most}")
    except ClientDisconnect:
        raise Incomplete("the client closed the connection before its body was whole") from None
    return bytes(read)


async def _judge_all(items: list[object], state: State, now: float) -> list[Outcome | LeftOut | Refused]:
    verdicts: list[Outcome | LeftOut | Refused] = []
    for place, item in enumerate(items):
        if place % SLICE == SLICE - 1:
            await asyncio.sleep(0)
        try:
            verdicts.append(judge(item, state, now))
        except Refused as refused:
            verdicts.append(refused)
    return verdicts


def _result(verdict: Outcome | LeftOut | Refused, counted: Any) -> dict[str, str]:
    """What the client is told of one item; ``counted`` yields for each outcome in turn whether it is new."""
    if isinstance(verdict, Refused):
        return {"status": "refused", "reason": str(verdict)}
    if isinstance(verdict, LeftOut):
        return {"status": "accepted", "reason": verdict.reason}
    if next(counted):
        return {"status": "accepted"}
    return {"status": "duplicate", "reason": "it was counted before, and is not counted again"}


_REASONS: Final[dict[type[TurnoutError], str]] = {
    NotJson: "not-json",
    TooMany: "too-many-outcomes",
    TooLarge: "body-too-large",
    Incomplete: "body-incomplete",
    StoreUnavailable: "store-unavailable",
}


async def _own_error(request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, TurnoutError) else 500
    reason = next((name for kind, name in _REASONS.items() if isinstance(error, kind)), "internal")
    extra = {"retry-after": str(RETRY_AFTER_SECONDS)} if isinstance(error, StoreUnavailable) else {}
    return _problem(status, reason, str(error), extra)


def _named(route: Route) -> str:
    """A route as a client writes it."""
    methods = sorted((route.methods or set()) - {"HEAD"})
    return f"{' or '.join(methods)} {route.path}"


def _problem(status: int, reason: str, detail: str, extra: dict[str, str]) -> Response:
    """An answer as RFC 9457 has it, marked as the router's own."""
    body = {
        "type": f"urn:turnout:error:{reason}",
        "title": reason.replace("-", " "),
        "status": status,
        "detail": detail,
    }
    return Response(
        msgspec.json.encode(body),
        status,
        headers={**extra, "x-turnout-error": reason},
        media_type="application/problem+json",
    )


def _json(status: int, body: object) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
