"""What does the control port answer?"""

from __future__ import annotations

from time import time
from typing import Any

import msgspec
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from router.errors import TurnoutError
from router.store import states

_PROBLEM = "application/problem+json"


class NotFound(TurnoutError):
    """There is no such thing."""

    status = 404


def make_app(redis: Redis) -> Starlette:
    """The control plane's application."""

    async def health(request: Request) -> Response:
        return _json({"status": "ok", "version": await states.version(redis)})

    async def report(request: Request) -> Response:
        name = request.path_params["name"]
        state = await states.read(redis)
        if state is None or name not in state.settings.experiments:
            known = ", ".join(state.settings.experiments) if state is not None else ""
            raise NotFound(f"there is no experiment {name!r}; there are: {known or 'none'}")
        from router.control.reports import report_of

        return _json(await report_of(redis, state, name, time()))

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/api/v1/experiments/{name}/report", report),
        ],
        exception_handlers={TurnoutError: _problem},
    )


def _json(value: Any, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(msgspec.json.encode(value), status, media_type=media_type)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, TurnoutError)
    title = type(error).__name__
    body = {
        "type": f"urn:turnout:error:{title}",
        "title": title,
        "status": error.status,
        "detail": str(error),
    }
    return _json(body, error.status, _PROBLEM)
