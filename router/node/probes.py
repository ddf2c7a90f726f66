"""What does a proxy tell whoever decides whether to send it traffic, or to start it again?

Live: this listener's event loop turns, and so does that of every worker that serves. Ready: every worker has
a snapshot and takes connections, and the node is not about to end. Both are open to everybody, because who
probes has no token.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from router.control.probes import told
from router.heartbeats import LATE_SECONDS, Heartbeats


def probe_routes(beats: Heartbeats, draining: Callable[[], bool]) -> list[Route]:
    """``GET /healthz`` and ``GET /readyz``; ``draining`` says whether the node was told to end."""

    async def healthz(request: Request) -> Response:
        late = late_workers(beats.ages())
        if late:
            return told(503, status="stuck", workers=late)
        return told(200, status="live")

    async def readyz(request: Request) -> Response:
        ages = beats.ages()
        ready = sum(age is not None and age <= LATE_SECONDS for age in ages)
        if draining():
            return told(503, status="draining")
        if ready < len(ages):
            return told(503, status="starting", ready=ready, workers=len(ages))
        return told(200, status="ready", workers=len(ages))

    return [Route("/healthz", healthz, methods=["GET"]), Route("/readyz", readyz, methods=["GET"])]


def late_workers(ages: list[float | None]) -> dict[str, float]:
    """For how many seconds the loops of which workers (from 1) have not turned, where that is too long."""
    return {
        str(number): round(age, 1)
        for number, age in enumerate(ages, 1)
        if age is not None and age > LATE_SECONDS
    }
