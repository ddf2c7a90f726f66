"""Does a request, or what an OpenFeature client says of a unit, fulfil an experiment's condition?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from router.condition import CONTEXT, HEADERS, JSON, METHOD, PATH, QUERY, Condition, Undecided
from router.data.prefix import Members, members_at, members_of

Read = Callable[["Judged"], object]


class Judged(Protocol):
    """The parts of a request that a condition may read; ``captured`` holds headers by their numbers."""

    captured: dict[int, bytes]
    target: bytes
    body: list[bytes]
    method: bytes
    host: bytes | None


class Rule:
    """One experiment's condition; what cannot be decided counts as not fulfilled, and in ``undecided``."""

    __slots__ = ("_condition", "_experiment", "_readers", "_undecided", "needs_body")

    def __init__(
        self,
        experiment: str,
        condition: Condition,
        kinds: Mapping[bytes, int],
        json_prefix: int,
        undecided: Counter[str],
    ) -> None:
        self._experiment = experiment
        self._condition = condition
        self._undecided = undecided
        self.needs_body = JSON in condition.reads
        readers: dict[str, Read] = {
            METHOD: lambda request: _text(request.method),
            PATH: lambda request: _text(request.target.partition(b"?")[0]),
            HEADERS: _headers(condition.headers, kinds),
            QUERY: lambda request: query_of(request.target),
            JSON: _json(members_of(condition.paths), json_prefix),
            CONTEXT: lambda _: {},
        }
        self._readers = tuple((name, read) for name, read in readers.items() if name in condition.reads)

    def matches(self, request: Judged) -> bool:
        """Whether a routed request fulfils the condition; it has no context."""
        return self._decide({name: read(request) for name, read in self._readers})

    def matches_context(self, context: Mapping[str, Any]) -> bool:
        """Whether a context fulfils it; all that a request would have is empty, and its JSON null."""
        return self._decide(
            {METHOD: "", PATH: "", HEADERS: {}, QUERY: {}, JSON: None, CONTEXT: dict(context)}
        )

    def _decide(self, facts: Mapping[str, object]) -> bool:
        try:
            return self._condition.holds(facts)
        except Undecided:
            self._undecided[self._experiment] += 1
            return False


def query_of(target: bytes) -> dict[str, str]:
    """The query's parameters, decoded, each with its first value.

    >>> query_of(b"/a?b=1&b=2&c%20d=x+y&e")
    {'b': '1', 'c d': 'x y', 'e': ''}
    """
    found: dict[str, str] = {}
    for pair in target.partition(b"?")[2].split(b"&"):
        if pair:
            key, _, value = pair.partition(b"=")
            found.setdefault(_decoded(key), _decoded(value))
    return found


def _decoded(text: bytes) -> str:
    if b"%" in text or b"+" in text:
        text = unquote_to_bytes(text.replace(b"+", b" "))
    return _text(text)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _headers(names: tuple[str, ...], kinds: Mapping[bytes, int]) -> Read:
    numbers = tuple((name, kinds[name.encode()]) for name in names if name != "host")
    with_host = "host" in names

    def read(request: Judged) -> object:
        captured = request.captured
        found = {name: _text(captured[kind].strip()) for name, kind in numbers if kind in captured}
        if with_host and request.host is not None:
            found["host"] = _text(request.host)
        return found

    return read


def _json(members: Members, json_prefix: int) -> Read:
    return lambda request: members_at(b"".join(request.body)[:json_prefix], members)
