"""What is the API's OpenAPI 3.1 document, made from the types that its endpoints use?"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from re import findall, sub
from typing import Any

import msgspec

from router.control.api.described_types import described
from router.control.api.endpoint import Endpoint
from router.control.api.problem import MEDIA_TYPE, ProblemDocument
from router.store.tokens import TOKEN_NAME

_TEMPLATE = "#/components/schemas/{name}"
_REFUSALS = {
    400: "The body is not JSON",
    401: "No token, or none that is valid",
    403: "The caller may not do this",
    404: "There is no such thing",
    409: "It cannot be done as things are",
    412: "It has changed since it was read; the answer says what",
    413: "The body is too large",
    415: "The body does not say that it is JSON",
    422: "What was sent cannot be used; the answer says where and why",
    428: "If-Match is missing",
    503: "Redis does not answer, or has lost the state",
}


def openapi(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document of these endpoints."""
    listed = list(endpoints)
    types = [ProblemDocument]
    types += [kind for each in listed for kind in (each.body, *each.answers.values()) if kind is not None]
    schemas, components = msgspec.json.schema_components(map(described, types), ref_template=_TEMPLATE)
    schema_of = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in listed:
        path = sub(r":int}", "}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Turnout admin API", "version": _version(), "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": dict(components),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint, schema_of: dict[str, Any]) -> dict[str, Any]:
    refused = schema_of[repr(ProblemDocument)]
    responses: dict[str, Any] = {}
    for status, kind in endpoint.answers.items():
        described: dict[str, Any] = {"description": "Done" if kind is None else endpoint.summary}
        if kind is not None:
            described["content"] = {"application/json": {"schema": schema_of[repr(kind)]}}
        if endpoint.tagged and kind is not None:
            described["headers"] = {"ETag": {"schema": {"type": "string"}, "required": True}}
        responses[str(status)] = described
    for status in _refusals(endpoint):
        content = {MEDIA_TYPE: {"schema": refused}}
        responses[str(status)] = {"description": _REFUSALS[status], "content": content}
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": f"Needs the role {endpoint.role}." if endpoint.role else "Open to everybody.",
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint), *_headers(endpoint)],
        "responses": responses,
    }
    if endpoint.role is not None:
        operation["security"] = [{"token": []}]
    if endpoint.body is not None:
        content = {"application/json": {"schema": schema_of[repr(endpoint.body)]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _refusals(endpoint: Endpoint) -> list[int]:
    """The statuses that an endpoint refuses with, from what it takes."""
    found = {401, 403, 413, 422, 503, *endpoint.refusals}
    if "{" in endpoint.path:
        found.add(404)
    if endpoint.body is not None:
        found |= {400, 415}
    if endpoint.guarded:
        found |= {412, 428}
    return sorted(found)


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 0} if kind else _name(endpoint.path),
        }
        for name, kind in findall(r"{(\w+)(:int)?}", endpoint.path)
    ]


def _name(path: str) -> dict[str, Any]:
    pattern = "[A-Za-z0-9_-]{1,32}" if path.startswith("/api/v1/experiments") else TOKEN_NAME
    return {"type": "string", "pattern": f"^{pattern}$"}


def _query_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    if endpoint.query is None:
        return []
    (_,), components = msgspec.json.schema_components([endpoint.query], ref_template=_TEMPLATE)
    described = components[endpoint.query.__name__]
    required = described.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in described["properties"].items()
    ]


def _headers(endpoint: Endpoint) -> list[dict[str, Any]]:
    if not endpoint.guarded:
        return []
    description = "The ETag with which the thing was read, or *; needed to change what is there (else 428)"
    schema = {"type": "string"}
    return [
        {"name": "If-Match", "in": "header", "required": False, "description": description, "schema": schema}
    ]


def _version() -> str:
    try:
        return version("turnout")
    except PackageNotFoundError:
        return "0"
