"""Does the API do what its document says, and does the page show it without reaching outside?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from re import findall
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, HookContext
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from router.control.api.openapi import openapi
from router.control.app import ENDPOINTS
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from tests.router.control.stage import CONFIGURATION, Stage, controlling

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


# Beside the split experiment: what each kind of thing that has a path of its own is.
_RANKER = CONFIGURATION["experiments"]["ranker"]
_FEATURES = [{"name": "plan", "header": "x-plan", "values": ["free", "paid"]}]
MORE: dict[str, Any] = CONFIGURATION | {
    "experiments": {
        "ranker": _RANKER,
        "gradual": _RANKER | {"policy": {"kind": "canary", "steps": [{"weight": 10}]}},
        "learner": _RANKER | {"policy": {"kind": "thompson", "metric": "correct"}},
        "contextual": _RANKER
        | {
            "metrics": [{"name": "correct", "kind": "binary", "per": "request"}],
            "policy": {"kind": "linear-thompson", "features": _FEATURES},
        },
    },
    "shadows": {"next": {"backend": "spare"}},
    "routes": [
        {
            "path": "/v1/ranker",
            "backend": "one",
            "experiment": "ranker",
            "repeatable": True,
            "shadows": ["next"],
        },
        {"path": "/v1/gradual", "backend": "one", "experiment": "gradual"},
    ],
}


@dataclass(frozen=True, slots=True)
class Address:
    """A control plane that runs beside the test, and an admin's token for it."""

    url: str
    token: str


@contextmanager
def beside(folder: Path) -> Iterator[str]:
    """A control plane in a thread of its own, because schemathesis blocks."""
    embedded = EmbeddedRedis(folder / "redis")
    embedded.start()
    ready, end = threading.Event(), threading.Event()
    found: list[str] = []

    async def serve() -> None:
        redis = connect(embedded.url)
        async with controlling(redis, folder / "data") as stage:
            found.append(stage.url)
            ready.set()
            await asyncio.to_thread(end.wait)
        await redis.aclose()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(20)
        yield found[0]
    finally:
        end.set()
        thread.join()
        embedded.stop()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with beside(tmp_path_factory.mktemp("control")) as url:
        api = f"{url}/api/v1"
        present = httpx.put(f"{api}/configuration", json=MORE, headers={"if-match": "*"}, trust_env=False)
        assert present.status_code == 200, present.text
        made = httpx.post(f"{api}/tokens", json={"name": "root", "role": "admin"}, trust_env=False)
        yield Address(url, made.json()["token"])


api = schemathesis.openapi.from_dict(openapi(ENDPOINTS))


@api.hook
def map_path_parameters(
    context: HookContext, path_parameters: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Half of the names are those of things that are there."""
    name = "" if path_parameters is None else str(path_parameters.get("name", ""))
    if path_parameters and len(name) % 2:
        collection = context.operation.path.split("/")[3]
        known = list(MORE[collection]) if collection in MORE else ["spare"]
        path_parameters["name"] = known[ord(name[0]) % len(known)]
    if path_parameters and isinstance(path_parameters.get("number"), int):
        path_parameters["number"] %= 7
    return path_parameters


@api.hook
def map_headers(context: HookContext, headers: dict[str, Any] | None) -> dict[str, Any] | None:
    """Half of the changes are made as things are."""
    if headers and len(headers.get("If-Match", "")) % 2:
        headers["If-Match"] = "*"
    return headers


@api.parametrize()
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_server_error_and_no_undocumented_answer(case: Case, address: Address) -> None:
    shown = {"Authorization": f"Bearer {address.token}"}
    case.call_and_validate(base_url=address.url, headers=shown, checks=CHECKS)


async def test_every_path_is_documented(stage: Stage) -> None:
    found = (await stage.call("GET", "/openapi.json")).json()
    assert found["openapi"] == "3.1.0"
    operations = [each for methods in found["paths"].values() for each in methods.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)
    assert all(each["security"] == [{"token": []}] for each in operations)
    assert {"Experiment", "Backend", "Settings", "ProblemDocument"} <= found["components"]["schemas"].keys()


async def test_the_page_needs_nothing_from_outside(stage: Stage) -> None:
    answer = await stage.call("GET", "/docs")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert findall(r"<(?:script|link|img|iframe)|(?:src|href)=.https?:|@import|url\(", answer.text) == []
    found = (await stage.call("GET", "/openapi.json")).json()
    for path, methods in found["paths"].items():
        assert f"<code>{path}</code>" in answer.text
        for operation in methods.values():
            assert operation["summary"].replace("'", "&#x27;") in answer.text
