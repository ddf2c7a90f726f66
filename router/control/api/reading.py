"""What did a caller send: a body and a query of the types that an endpoint takes?"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request

from router.errors import TurnoutError
from router.problems import ABSENT, InvalidConfiguration, Problem, listed, shown
from router.typed_reader import TypedReader

BODY_BYTES = 4 * 1024**2


class UnsupportedMediaType(TurnoutError):
    """A body that does not say that it is JSON."""

    status = 415


class TooLarge(TurnoutError):
    """A body of more bytes than are allowed."""

    status = 413


class Malformed(TurnoutError):
    """A body that is not JSON."""

    status = 400


class InvalidQuery(TurnoutError):
    """A query that the endpoint does not take."""

    status = 422


async def read_data(request: Request) -> Any:
    """The body as plain data."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMediaType(f"the body is {shown(kind)}; allowed: content-type: application/json")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > BODY_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES:
                raise _too_large()
    except ClientDisconnect:
        raise Malformed("the body ended before it was whole") from None
    try:
        return msgspec.json.decode(bytes(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the body is not JSON: {error}") from None


def read_body(kind: Any, data: Any) -> Any:
    """Plain data as a type; `InvalidConfiguration` names every mistake."""
    reader = TypedReader()
    value = reader.read(kind, data, ())
    if reader.problems:
        raise InvalidConfiguration(reader.problems)
    return value


def read_query(kind: type | None, request: Request) -> Any:
    """The query as a type; unknown and repeated names are refused."""
    items = request.query_params.multi_items()
    known = () if kind is None else tuple(msgspec.structs.fields(kind))
    names = [each.name for each in known]
    for name, value in items:
        if name not in names:
            problem = Problem((), ABSENT, f"the query's {name!r} is not known here", listed(names))
            raise InvalidQuery(str(problem))
        if len([each for each, _ in items if each == name]) > 1:
            raise InvalidQuery(f"the query has {name!r} twice, also as {shown(value)}; allowed: once")
    if kind is None:
        return None
    try:
        return msgspec.convert(dict(items), kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidQuery(f"the query does not fit: {error}") from None


async def discard(request: Request) -> None:
    """Read a body that nobody asked for, up to the bound."""
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > BODY_BYTES:
                raise _too_large()
    except ClientDisconnect:
        raise Malformed("the body ended before it was whole") from None


def _too_large() -> TooLarge:
    return TooLarge(f"the body is too large; allowed: {BODY_BYTES} bytes")
