"""What does the control plane tell whoever decides whether to ask it, or to start it again?

Live: its event loop turns, which is why it answers at all. Ready: the configuration was applied, Redis
answers, and there is a state. Both are open to everybody, because whoever probes has no token.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from router.errors import StoreUnavailable
from router.store import states


def probe_routes(redis: Redis, begun: Callable[[], bool]) -> list[Route]:
    """``GET /healthz`` and ``GET /readyz``; ``begun`` says whether the configuration has been applied."""

    async def healthz(request: Request) -> Response:
        return told(200, status="live")

    async def readyz(request: Request) -> Response:
        try:
            version = await states.version(redis)
        except StoreUnavailable:
            return told(503, status="redis_away")
        if not begun():
            return told(503, status="starting")
        if not version:
            return told(503, status="no_state")
        return told(200, status="ready", version=version)

    return [Route("/healthz", healthz, methods=["GET"]), Route("/readyz", readyz, methods=["GET"])]


def told(status_code: int, **what: object) -> Response:
    """A probe's answer."""
    headers = {"cache-control": "no-store"}
    return Response(msgspec.json.encode(what), status_code, headers, "application/json")
