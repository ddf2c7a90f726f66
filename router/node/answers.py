"""What does a node's own listener say to who asks for something else?"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from router.control.api.problem import MEDIA_TYPE, encode, problem


async def not_here(request: Request, error: Exception) -> Response:
    """A path or a method that there is not."""
    assert isinstance(error, HTTPException)
    title = {404: "NotFound", 405: "MethodNotAllowed"}.get(error.status_code, "Refused")
    detail = f"{request.method} {request.url.path} is none of GET /metrics, GET /healthz, GET /readyz"
    document = problem(title, error.status_code, detail)
    return Response(encode(document), error.status_code, dict(error.headers or {}), MEDIA_TYPE)
