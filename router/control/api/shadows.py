"""What may be seen of the shadows: which there are, what their answers say, and pairs that differ?"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Annotated, Any

from msgspec import Meta, Struct

from router.control.api.endpoint import Answer, Call, Endpoint
from router.control.changes import read_state
from router.control.edits import found
from router.settings import Settings
from router.shadow_identity import generation
from router.store.shadows import EXAMPLES_KEPT, read_examples


class ShadowView(Struct, frozen=True, kw_only=True):
    """A shadow: who gets copies of which routes' requests, and which of its pairs count now."""

    name: str
    backend: str
    routes: tuple[str, ...]
    share: float
    noise: float
    generation: str


class ShadowList(Struct, frozen=True, kw_only=True):
    """All shadows."""

    shadows: tuple[ShadowView, ...]


class ShadowExamples(Struct, frozen=True, kw_only=True):
    """Pairs that differ, the newest first: redacted, cut, and only now and then kept."""

    examples: tuple[dict[str, Any], ...]


class ExampleLimit(Struct, frozen=True, kw_only=True):
    """At most ``limit``, the newest first."""

    limit: Annotated[int, Meta(ge=1, le=EXAMPLES_KEPT)] = 10


async def list_shadows(call: Call) -> Answer:
    """The shadows there are."""
    settings = (await read_state(call.desk.redis)).settings
    return Answer(ShadowList(shadows=tuple(_view(settings, name) for name in settings.shadows)))


def _view(settings: Settings, name: str) -> ShadowView:
    shadow = settings.shadows[name]
    return ShadowView(
        name=name,
        backend=shadow.backend,
        routes=tuple(route.path for route in settings.routes if name in route.shadows),
        share=shadow.share,
        noise=shadow.noise,
        generation=generation(settings, name),
    )


async def report(call: Call) -> Answer:
    """What is known about a shadow."""
    settings = await _known(call)
    # scipy takes a second to import: not on the loop, and not before somebody asks.
    reports = await asyncio.to_thread(import_module, "router.control.shadow_reports")
    desk = call.desk
    return Answer(await reports.report_of(desk.redis, settings, call.path["name"], desk.clock()))


async def examples(call: Call) -> Answer:
    """Some pairs that differ."""
    settings, name = await _known(call), call.path["name"]
    kept = await read_examples(call.desk.redis, name, generation(settings, name), call.query.limit)
    return Answer(ShadowExamples(examples=tuple(kept)))


async def _known(call: Call) -> Settings:
    settings = (await read_state(call.desk.redis)).settings
    found("shadow", settings.shadows, call.path["name"])
    return settings


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/shadows",
        name="list_shadows",
        summary="Who gets copies of which requests?",
        handler=list_shadows,
        answers={200: ShadowList},
    ),
    Endpoint(
        method="GET",
        path="/api/v1/shadows/{name}",
        name="read_shadow",
        summary="Does a shadow differ more than the current model does from itself?",
        handler=report,
        answers={200: dict[str, Any]},
    ),
    Endpoint(
        method="GET",
        path="/api/v1/shadows/{name}/examples",
        name="read_shadow_examples",
        summary="Pairs of answers that differ, redacted and cut",
        handler=examples,
        answers={200: ShadowExamples},
        query=ExampleLimit,
    ),
)
