"""Where in a request is the unit of randomisation?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import unquote_to_bytes

from policies.assignment import LONGEST_UNIT
from router.data.prefix import steps_of, value_at
from router.data.wire import CAPTURE
from router.settings import UnitSource


class Readable(Protocol):
    """The parts of a request that a unit may stand in."""

    captured: dict[int, bytes]
    target: bytes
    body: list[bytes]


Extractor = Callable[[Readable], bytes | None]


def captures(sources: Sequence[UnitSource], kinds: dict[bytes, int]) -> None:
    """Add to ``kinds`` the headers that these sources read, each under a number of its own."""
    for source in sources:
        name = source.header or ("cookie" if source.cookie else None)
        if name is not None:
            capture(name, kinds)


def capture(header: str, kinds: dict[bytes, int]) -> None:
    """Add a header to those of which requests keep the value."""
    name = header.lower().encode()
    if kinds.get(name, 0) < CAPTURE:
        if name in kinds:
            raise ValueError(f"header {name.decode()!r} cannot be read: the router handles it itself")
        kinds[name] = max(CAPTURE - 1, *kinds.values()) + 1


def extractor(sources: Sequence[UnitSource], kinds: Mapping[bytes, int], json_prefix: int) -> Extractor:
    """A function that gives the first unit present, or none; at most `LONGEST_UNIT` bytes of it count."""
    readers = [_reader(source, kinds, json_prefix) for source in sources]
    if len(readers) == 1:
        return readers[0]

    def first(request: Readable) -> bytes | None:
        for read in readers:
            unit = read(request)
            if unit:
                return unit
        return None

    return first


def needs_body(sources: Sequence[UnitSource]) -> bool:
    """Whether any of these stands in the body."""
    return any(source.json is not None for source in sources)


def _reader(source: UnitSource, kinds: Mapping[bytes, int], json_prefix: int) -> Extractor:
    if source.header is not None:
        return _from_header(kinds[source.header.lower().encode()])
    if source.cookie is not None:
        return _from_cookie(kinds[b"cookie"], source.cookie.encode())
    if source.query is not None:
        return _from_query(source.query.encode())
    assert source.json is not None
    return _from_json(source.json, json_prefix)


def _from_header(kind: int) -> Extractor:
    def read(request: Readable) -> bytes | None:
        value = request.captured.get(kind)
        return value.strip()[:LONGEST_UNIT] or None if value else None

    return read


def _from_cookie(kind: int, name: bytes) -> Extractor:
    def read(request: Readable) -> bytes | None:
        for pair in request.captured.get(kind, b"").split(b";"):
            key, _, value = pair.strip().partition(b"=")
            if key == name:
                return value.strip(b'" ')[:LONGEST_UNIT] or None
        return None

    return read


def _from_query(name: bytes) -> Extractor:
    def read(request: Readable) -> bytes | None:
        value = query_value(request.target, name)
        return value[:LONGEST_UNIT] or None if value else None

    return read


def query_value(target: bytes, name: bytes) -> bytes | None:
    """The first value of a query parameter, decoded; None where there is none."""
    for pair in target.partition(b"?")[2].split(b"&"):
        key, _, value = pair.partition(b"=")
        if key == name or unquote_to_bytes(key.replace(b"+", b" ")) == name:
            return unquote_to_bytes(value.replace(b"+", b" "))
    return None


def _from_json(pointer: str, prefix: int) -> Extractor:
    steps = steps_of(pointer)

    def read(request: Readable) -> bytes | None:
        value = value_at(b"".join(request.body)[:prefix], steps)
        if isinstance(value, str):
            return value.encode("utf-8", "surrogatepass")[:LONGEST_UNIT] or None
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value).encode()[:LONGEST_UNIT]
        return None

    return read
