"""How does a second answer to a request compare with the one that the client got?"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

from policies.shadow.json_difference import Difference, Steps, Tolerance, differences, finding, finished
from policies.shadow.pointers import Paths, select
from policies.shadow.rank_overlap import rank_overlap

NO_ANSWER: Final = 0
"""The status of an answer that did not come: in time, whole, or as HTTP."""

_GZIP = b"\x1f\x8b"
_GZIP_FORMAT = 31
# A compressed answer may be at most so many times as long when it is not.
_LARGEST_EXPANSION = 16


@dataclass(frozen=True, slots=True)
class Answer:
    """One backend's answer: its status, its body, and how many seconds it took from the request's sending."""

    status: int
    body: bytes = b""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What does not matter, and where the best result and the ranking stand (as tokens of a pointer)."""

    ignored: Paths = field(default_factory=Paths)
    tolerance: Tolerance = field(default_factory=Tolerance)
    top: tuple[str, ...] | None = None
    ranking: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """What one pair came to.

    ``differs`` is true where the second answer failed, has another status or another body. ``top``: whether
    the best result is the same; ``overlap``: of the rankings, 0 to 1; both None where the client's answer has
    none. ``seconds``: how much longer the second one took; None where it failed.
    """

    differs: bool
    failed: bool = False
    status: bool = False
    body: bool = False
    top: bool | None = None
    overlap: float | None = None
    seconds: float | None = None


def compare(client: Answer, other: Answer, rules: Rules) -> Compared:
    """Compare one pair; any bytes will do. Linear in the bodies' size.

    >>> compare(Answer(200, b'{"id": 1}'), Answer(200, b'{"id":1.0}'), Rules()).differs
    False
    """
    return finished(comparing(client, other, rules))


def comparing(client: Answer, other: Answer, rules: Rules) -> Steps[Compared]:
    """`compare` in steps of a millisecond at most for bodies of 64 KiB."""
    if other.status == NO_ANSWER:
        return Compared(differs=True, failed=True)
    status = client.status != other.status
    identical = client.body == other.body
    top, overlap, body = None, None, not identical
    if not identical or rules.top is not None or rules.ranking is not None:
        left = document(client.body)
        right = left if identical else document(other.body)
        yield
        if not identical and left is not UNREADABLE and right is not UNREADABLE:
            body = bool((yield from finding(left, right, rules.ignored, rules.tolerance, 1)))
        if left is not UNREADABLE:
            top = _top(left, right, rules)
            overlap = _overlap(left, right, rules)
    return Compared(
        differs=status or body,
        status=status,
        body=body,
        top=top,
        overlap=overlap,
        seconds=other.seconds - client.seconds,
    )


def finding_where(client: Answer, other: Answer, rules: Rules, most: int) -> Steps[list[Difference]]:
    """The first places where two bodies differ, in steps; none where one of them is not JSON."""
    left, right = document(client.body), document(other.body)
    yield
    if left is UNREADABLE or right is UNREADABLE:
        return []
    return (yield from finding(left, right, rules.ignored, rules.tolerance, most))


UNREADABLE: Final = object()


def document(body: bytes) -> Any:
    """The body as JSON, also where it is compressed by gzip; `UNREADABLE` where it is something else."""
    try:
        if body.startswith(_GZIP):
            expander = zlib.decompressobj(_GZIP_FORMAT)
            body = expander.decompress(body, _LARGEST_EXPANSION * len(body))
            if expander.unconsumed_tail:
                return UNREADABLE
        return json.loads(body)
    except (ValueError, RecursionError, zlib.error):
        return UNREADABLE


def _top(left: Any, right: Any, rules: Rules) -> bool | None:
    if rules.top is None or not (best := select(left, rules.top)):
        return None
    found = [] if right is UNREADABLE else select(right, rules.top)
    return not differences(best, found, None, rules.tolerance)


def _overlap(left: Any, right: Any, rules: Rules) -> float | None:
    ranking = None if rules.ranking is None else _ranking(left, rules.ranking)
    if ranking is None or rules.ranking is None:
        return None
    other = None if right is UNREADABLE else _ranking(right, rules.ranking)
    return 0.0 if other is None else rank_overlap(ranking, other)


def _ranking(found: Any, path: tuple[str, ...]) -> list[Any] | None:
    """The list to which a path leads, or the items to which one with ``*`` does."""
    items = select(found, path)
    if "*" in path:
        return items or None
    return items[0] if items and isinstance(items[0], list) else None
