"""What may everybody ask: is the service well, and what does its API look like?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Literal

from msgspec import Struct
from starlette.responses import HTMLResponse, Response

from router.control.api.docs_page import SECURITY_POLICY, docs_page
from router.control.api.endpoint import Answer, Call, Endpoint
from router.control.api.openapi import openapi
from router.control.api.problem import encode
from router.control.changes import StateLost
from router.errors import StoreUnavailable
from router.store import states


class Health(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``ok`` with the version in force; or what is the matter, with status 503."""

    status: Literal["ok", "state_lost", "state_older", "redis_away"]
    version: int | None = None
    detail: str = ""


async def health(call: Call) -> Answer:
    """Whether operators can work: the workers have a health of their own."""
    try:
        version, newest = await states.version(call.desk.redis), await states.newest(call.desk.redis)
    except StoreUnavailable as error:
        return Answer(Health(status="redis_away", detail=str(error)), 503)
    if not version:
        return Answer(Health(status="state_lost", detail=str(StateLost())), 503)
    if version < newest:
        detail = str(states.StateOlder(version, newest))
        return Answer(Health(status="state_older", version=version, detail=detail), 503)
    return Answer(Health(status="ok", version=version))


def public(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """The endpoints that are open to everybody, and that show the others."""
    document = openapi(endpoints)
    written, page = encode(document), docs_page(document)

    async def as_json(call: Call) -> Answer:
        return Answer(Response(written, media_type="application/json"))

    async def as_page(call: Call) -> Answer:
        return Answer(HTMLResponse(page, headers={"content-security-policy": SECURITY_POLICY}))

    opened = partial(Endpoint, method="GET", role=None, answers={200: None})
    return (
        opened(path="/health", name="health", summary="Whether the control plane is well", handler=health),
        opened(path="/api/v1/openapi.json", name="openapi", summary="The API's document", handler=as_json),
        opened(path="/api/v1/docs", name="docs", summary="The document for readers", handler=as_page),
    )
