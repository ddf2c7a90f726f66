"""Which headers does a proxy keep, drop or read, and which constant bytes does it write?"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

# What is done with a header. A number, because it is looked up once for every header of every message.
PASS = 0
DROP = 1
HOST = 2
LENGTH = 3
ENCODING = 4
CONNECTION = 5
EXPECT = 6
UPGRADE = 7
FORWARDED_FOR = 8
REQUEST_ID = 9
OWN = 10
CAPTURE = 16  # and above: passed on, and its first value kept under this number

SEPARATOR = b": "
CRLF = b"\r\n"
LAST_CHUNK = b"0\r\n\r\n"
OWN_PREFIX = b"x-turnout-"
NO_TOKENS: frozenset[bytes] = frozenset()

_HOP_BY_HOP = (
    b"keep-alive",
    b"proxy-connection",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"trailer",
)

REQUEST_KINDS: dict[bytes, int] = {
    **dict.fromkeys(_HOP_BY_HOP, DROP),
    b"host": HOST,
    b"content-length": LENGTH,
    b"transfer-encoding": ENCODING,
    b"connection": CONNECTION,
    b"expect": EXPECT,
    b"upgrade": UPGRADE,
    b"x-forwarded-for": FORWARDED_FOR,
    b"x-forwarded-proto": DROP,
    b"x-forwarded-host": DROP,
    b"x-request-id": REQUEST_ID,
}

RESPONSE_KINDS: dict[bytes, int] = {
    **dict.fromkeys(_HOP_BY_HOP, DROP),
    b"content-length": LENGTH,
    b"transfer-encoding": ENCODING,
    b"connection": CONNECTION,
    b"upgrade": UPGRADE,
    b"x-request-id": DROP,
}

METHODS = frozenset(
    (
        b"GET",
        b"HEAD",
        b"POST",
        b"PUT",
        b"PATCH",
        b"DELETE",
        b"OPTIONS",
        b"TRACE",
        b"QUERY",
        b"SEARCH",
        b"REPORT",
    )
)
REPEATABLE = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"QUERY"))

STATUS_LINES: dict[int, bytes] = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}

_REMEMBERED_NAMES = 4096
_LONGEST_REMEMBERED = 64


def kind_of(kinds: dict[bytes, int], name: bytes) -> int:
    """The kind of a header name in any spelling, remembered by that spelling (bounded)."""
    lower = name.lower()
    kind = kinds.get(lower)
    if kind is None:
        kind = OWN if lower.startswith(OWN_PREFIX) else PASS
    if len(kinds) < _REMEMBERED_NAMES and len(name) <= _LONGEST_REMEMBERED:
        kinds[name] = kind
    return kind


def status_line(status: int) -> bytes:
    """The first line of an answer."""
    line = STATUS_LINES.get(status)
    return line if line is not None else b"HTTP/1.1 %d \r\n" % status


def tokens(value: bytes) -> frozenset[bytes]:
    """The lower-cased members of a comma-separated header value."""
    return frozenset(part.strip().lower() for part in value.split(b","))


def without(head: list[bytes], names: Iterable[bytes]) -> list[bytes]:
    """A flat list of (name, separator, value, end) without the headers of these lower-cased names."""
    dropped = set(names)
    kept: list[bytes] = []
    for at in range(0, len(head), 4):
        if head[at].lower() not in dropped:
            kept += head[at : at + 4]
    return kept
