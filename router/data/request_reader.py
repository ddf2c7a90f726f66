"""How do the pieces of a request that the parser finds become an exchange, or a refusal?

The parser is llhttp in its strict form. What it lets pass and could still be read in two ways, or is more
than this service takes, is refused here.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from router.data.answers import Refusal
from router.data.exchange import Exchange
from router.data.wire import (
    CAPTURE,
    CONNECTION,
    CRLF,
    DROP,
    ENCODING,
    EXPECT,
    FORWARDED_FOR,
    HOST,
    LENGTH,
    METHODS,
    OWN,
    PASS,
    REQUEST_ID,
    SEPARATOR,
    UPGRADE,
    kind_of,
    tokens,
    without,
)

if TYPE_CHECKING:
    from router.data.plane import Plane

NOTHING = cast(Exchange, None)

_SLASH = ord("/")
# The methods of which nothing special is to be known.
_COMMON = METHODS - {b"HEAD"}

_LONGEST_REQUEST_ID = 128

_TWO_HOSTS = Refusal(400, "bad-request", "the request has more than one Host header")
_BAD_LENGTH = Refusal(413, "body-too-large", "the request's body is larger than this service takes")


class _Trailers(dict[bytes, int]):
    """The kinds of headers behind a body: all are dropped."""

    def __missing__(self, name: bytes) -> int:
        return DROP


_TRAILERS = _Trailers()


def has_body(exchange: Exchange) -> bool:
    """Whether its head announces a body."""
    return exchange.chunked or int(exchange.length or 0) > 0


class RequestReader:
    """The parser's callbacks within one message, and what they fill in."""

    __slots__ = (
        "_deaf",
        "_fed",
        "_kinds",
        "_parser",
        "_parsing",
        "_queue",
        "_raw",
        "_refusal",
        "_start",
        "_version_unknown",
        "current",
        "plane",
    )

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self._parser = httptools.HttpRequestParser(self)
        self._kinds: dict[bytes, int] = {}
        # Nothing between messages; the parser's callbacks come only within one.
        self._parsing: Exchange = NOTHING
        self._refusal: Refusal | None = None
        # The piece that is being parsed; how much of this message came before it, and how that began.
        self._fed = b""
        self._raw = 0
        self._start = b""
        self._version_unknown = True
        # What was read: the exchange that is being answered, those that wait, and whether that is all.
        self.current: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._deaf = False

    def on_url(self, url: bytes) -> None:
        self._parsing.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        try:
            kind = self._kinds[name]
        except KeyError:
            kind = kind_of(self._kinds, name)
        exchange = self._parsing
        if kind == PASS:
            exchange.head += (name, SEPARATOR, value, CRLF)
        elif kind >= CAPTURE:
            exchange.head += (name, SEPARATOR, value, CRLF)
            exchange.captured.setdefault(kind, value)
        elif kind == LENGTH:
            exchange.length = value.strip()
        elif kind == HOST and exchange.host is None:
            exchange.host = value
        elif kind != DROP:
            exchange.odd = True
            self._special(exchange, kind, name, value)

    def _special(self, exchange: Exchange, kind: int, name: bytes, value: bytes) -> None:
        if kind == HOST:
            self._refusal = _TWO_HOSTS
        elif kind == ENCODING:
            exchange.chunked = True
            if value.strip().lower() != b"chunked":
                self._refusal = Refusal(
                    501, "transfer-coding", "no transfer coding but chunked is understood"
                )
        elif kind == CONNECTION:
            exchange.connection_tokens |= tokens(value)
        elif kind == EXPECT:
            exchange.expects = True
            if value.strip().lower() != b"100-continue":
                self._refusal = Refusal(417, "expectation", "no expectation but 100-continue is understood")
        elif kind == UPGRADE:
            exchange.upgrade = value
        elif kind == FORWARDED_FOR:
            before = exchange.forwarded_for
            exchange.forwarded_for = value if before is None else before + b", " + value
        elif kind == REQUEST_ID:
            exchange.request_id = value[:_LONGEST_REQUEST_ID]
        elif kind == OWN:
            self.plane.own_header(exchange, name.lower(), value)

    def on_headers_complete(self) -> None:
        exchange = self._parsing
        parser = self._parser
        exchange.method = method = parser.get_method()
        exchange.keep_alive = keep_alive = parser.should_keep_alive()
        named = exchange.connection_tokens
        # A connection that is kept without a word about it is HTTP/1.1's: no need to ask again.
        if not keep_alive or named or self._version_unknown:
            exchange.modern = parser.get_http_version() == "1.1"
            self._version_unknown = False
        snapshot = exchange.snapshot
        length = exchange.length
        if (
            len(self._fed) > snapshot.plain_bytes
            or len(exchange.head) > snapshot.plain_head
            or (length is not None and len(length) >= snapshot.plain_digits)
            or self._raw
            or exchange.odd
            or exchange.host is None
            or exchange.target[0] != _SLASH
            or b"#" in exchange.target
            or method not in _COMMON
            or not exchange.modern
        ):
            self._examine(exchange, named)
        if self.current is None:
            self.current = exchange
            return
        self._queue.append(exchange)

    def _examine(self, exchange: Exchange, named: frozenset[bytes]) -> None:
        """All that need not be looked at in a small, plain request."""
        exchange.head_only = exchange.method == b"HEAD"
        refusal = self._refusal or self._judge(exchange)
        if refusal is not None:
            exchange.keep_alive = False
            exchange.refusal = refusal
        if named and named - {b"close", b"keep-alive", b"upgrade"}:
            exchange.head = without(exchange.head, named)
        if exchange.upgrade is not None and (
            b"upgrade" not in named or exchange.upgrade.lower() != b"websocket" or has_body(exchange)
        ):
            exchange.upgrade = None
        if exchange.chunked:
            self._kinds = _TRAILERS

    def _judge(self, exchange: Exchange) -> Refusal | None:
        limits = exchange.snapshot.limits
        target = exchange.target
        head = exchange.head
        if len(target) > limits.url_bytes:
            return Refusal(414, "url-too-long", f"the URL is longer than {limits.url_bytes} bytes")
        if len(head) > 4 * limits.headers:
            return Refusal(431, "too-many-headers", f"there are more than {limits.headers} headers")
        if len(self._fed) + self._raw > limits.header_bytes and sum(map(len, head)) > limits.header_bytes:
            return Refusal(
                431, "headers-too-large", f"the headers are longer than {limits.header_bytes} bytes"
            )
        if exchange.method not in METHODS:
            return Refusal(501, "method", f"the method {exchange.method.decode('latin-1')} is not served")
        if not exchange.modern:
            version = self._parser.get_http_version()
            if b" RTSP/" in (self._start + self._fed)[: len(target) + 64]:
                return Refusal(505, "version", "RTSP is not spoken here; HTTP/1.1 and 1.0 are")
            if version != "1.0":
                return Refusal(505, "version", f"HTTP/{version} is not spoken here; HTTP/1.1 and 1.0 are")
            if exchange.chunked:
                return Refusal(400, "bad-request", "HTTP/1.0 has no chunked bodies")
        elif exchange.host is None:
            return Refusal(400, "bad-request", "an HTTP/1.1 request needs a Host header")
        if exchange.length is not None and int(exchange.length) > limits.body_bytes:
            return _BAD_LENGTH
        if target[:1] != b"/":
            return self._other_form(exchange)
        if b"#" in target:
            return Refusal(400, "bad-request", "the URL has a fragment, which is not the server's to see")
        return None

    def _other_form(self, exchange: Exchange) -> Refusal | None:
        scheme, found, rest = exchange.target.partition(b"://")
        if found and scheme.lower() in (b"http", b"https") and rest and b"#" not in rest:
            # Absolute form: its authority is the host, whatever the header says (RFC 9112, 3.2.2).
            end = min((rest.find(mark) for mark in (b"/", b"?") if mark in rest), default=len(rest))
            exchange.host, path = rest[:end], rest[end:]
            exchange.target = path if path[:1] == b"/" else b"/" + path
            return None
        if exchange.target == b"*" and exchange.method == b"OPTIONS":
            return None
        return Refusal(400, "bad-request", "the request's target is neither a path nor an absolute URL")

    def on_body(self, body: bytes) -> None:
        exchange = self._parsing
        exchange.received += len(body)
        exchange.fresh.append(body)
        if exchange.received > exchange.snapshot.limits.body_bytes and exchange.refusal is None:
            exchange.refusal = _BAD_LENGTH
            raise ValueError("the body is too large")
