"""Which raw requests have been read two ways by some pair of servers?

Each case is bytes, and what may become of them: refused, or forwarded as exactly one request with this
method, target and body. A case whose ``forwarded`` is None must be refused. What stands behind a case's first
request is there to be mistaken for a second one.
"""

from __future__ import annotations

from dataclasses import dataclass

POISON = b"GET /poison HTTP/1.1\r\nHost: evil\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Case:
    """One raw request; ``forwarded`` is the (method, target, body) that is allowed to reach the backend."""

    name: str
    raw: bytes
    forwarded: tuple[str, str, bytes] | None = None


def post(*lines: bytes, body: bytes = b"") -> bytes:
    """A POST with these header lines."""
    return b"\r\n".join((b"POST /p HTTP/1.1", b"Host: a", *lines)) + b"\r\n\r\n" + body


def get(*lines: bytes) -> bytes:
    """A GET with these header lines."""
    return b"\r\n".join((b"GET /p HTTP/1.1", b"Host: a", *lines)) + b"\r\n\r\n"


CHUNKED = b"Transfer-Encoding: chunked"
ZERO = b"0\r\n\r\n"
HELLO = ("POST", "/p", b"hello")
EMPTY = ("POST", "/p", b"")
PLAIN = ("GET", "/p", b"")

LENGTHS = [
    Case("CL.TE", post(b"Content-Length: 6", CHUNKED, body=ZERO + b"G")),
    Case("TE.CL", post(CHUNKED, b"Content-Length: 4", body=b"5c\r\n" + POISON + ZERO)),
    Case("CL and TE that agree", post(b"Content-Length: 5", CHUNKED, body=ZERO)),
    Case("CL 0 and TE", post(b"Content-Length: 0", CHUNKED, body=b"5\r\nhello\r\n" + ZERO)),
    Case("unequal lengths", post(b"Content-Length: 5", b"Content-Length: 0", body=b"hello")),
    Case("unequal lengths, other order", post(b"Content-Length: 0", b"Content-Length: 37", body=POISON)),
    Case("equal lengths", post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"), HELLO),
    Case("length list, equal", post(b"Content-Length: 5, 5", body=b"hello"), HELLO),
    Case("length list, unequal", post(b"Content-Length: 5, 6", body=b"hello")),
    Case("length with plus", post(b"Content-Length: +5", body=b"hello")),
    Case("length negative", post(b"Content-Length: -1", body=b"hello")),
    Case("length hexadecimal", post(b"Content-Length: 0x5", body=b"hello")),
    Case("length with underscore", post(b"Content-Length: 0_5", body=b"hello")),
    Case("length with a dot", post(b"Content-Length: 5.0", body=b"hello")),
    Case("length empty", post(b"Content-Length: ", body=POISON)),
    Case("length of letters", post(b"Content-Length: five", body=b"hello")),
    Case("length with inner space", post(b"Content-Length: 5 6", body=b"hello")),
    Case("length beyond 64 bits", post(b"Content-Length: 18446744073709551621", body=b"hello")),
    Case("length with leading zeros", post(b"Content-Length: 0005", body=b"hello"), HELLO),
    Case("length with non-ASCII digit", post(b"Content-Length: \xb2", body=b"he")),
    Case("length with NUL", post(b"Content-Length: 5\0", body=b"hello")),
    Case("length with vertical tab", post(b"Content-Length: \x0b5", body=b"hello")),
    Case("spaced-out length", post(b"Content-Length:   5   ", body=b"hello"), HELLO),
    Case("GET with body", get(b"Content-Length: 5") + b"hello", ("GET", "/p", b"hello")),
]

CODINGS = [
    Case("TE xchunked", post(b"Transfer-Encoding: xchunked", body=ZERO)),
    Case("TE identity", post(b"Transfer-Encoding: identity", body=b"")),
    Case("TE identity and CL", post(b"Transfer-Encoding: identity", b"Content-Length: 5", body=b"hello")),
    Case("TE gzip", post(b"Transfer-Encoding: gzip", body=b"hello")),
    Case("TE chunked, identity", post(b"Transfer-Encoding: chunked, identity", body=ZERO + POISON)),
    Case("TE chunked twice", post(CHUNKED, CHUNKED, body=ZERO)),
    Case("TE chunked, chunked", post(b"Transfer-Encoding: chunked, chunked", body=ZERO)),
    Case("TE chunked then x", post(CHUNKED, b"Transfer-Encoding: x", body=ZERO + POISON)),
    Case("TE with vertical tab", post(b"Transfer-Encoding: \x0bchunked", body=ZERO)),
    Case("TE quoted", post(b'Transfer-Encoding: "chunked"', body=ZERO)),
    Case("TE with parameter", post(b"Transfer-Encoding: chunked;a=b", body=ZERO)),
    Case("TE empty", post(b"Transfer-Encoding:", body=ZERO)),
    Case("TE comma", post(b"Transfer-Encoding: ,chunked", body=ZERO), EMPTY),
    Case("TE with NUL", post(b"Transfer-Encoding: chunked\0", body=ZERO)),
    Case("TE space before colon", post(b"Transfer-Encoding : chunked", body=ZERO)),
    Case("TE tab before colon", post(b"Transfer-Encoding\t: chunked", body=ZERO)),
    Case("TE folded", post(b"Transfer-Encoding:\r\n chunked", body=ZERO)),
    Case("TE upper case", post(b"TRANSFER-ENCODING: CHUNKED", body=b"5\r\nhello\r\n" + ZERO), HELLO),
    Case("TE in HTTP/1.0", b"POST /p HTTP/1.0\r\nHost: a\r\n" + CHUNKED + b"\r\n\r\n" + ZERO + POISON),
    Case(
        "TE under an underscore",
        post(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=b"hello"),
        HELLO,
    ),
]

CHUNKS = [
    Case("chunk size negative", post(CHUNKED, body=b"-1\r\nhello\r\n" + ZERO)),
    Case("chunk size with 0x", post(CHUNKED, body=b"0x5\r\nhello\r\n" + ZERO)),
    Case("chunk size with plus", post(CHUNKED, body=b"+5\r\nhello\r\n" + ZERO)),
    Case("chunk size empty", post(CHUNKED, body=b"\r\nhello\r\n" + ZERO)),
    Case("chunk size of letters", post(CHUNKED, body=b"zz\r\nhello\r\n" + ZERO)),
    Case("chunk size overflows", post(CHUNKED, body=b"10000000000000005\r\nhello\r\n" + ZERO)),
    Case("chunk size with leading space", post(CHUNKED, body=b" 5\r\nhello\r\n" + ZERO)),
    Case("chunk size with trailing space", post(CHUNKED, body=b"5 \r\nhello\r\n" + ZERO), HELLO),
    Case("chunk size with underscore", post(CHUNKED, body=b"0_5\r\nhello\r\n" + ZERO)),
    Case("chunk line ends in bare LF", post(CHUNKED, body=b"5\nhello\r\n" + ZERO)),
    Case("chunk line ends in bare CR", post(CHUNKED, body=b"5\rhello\r\n" + ZERO)),
    Case("chunk data longer than its size", post(CHUNKED, body=b"5\r\nhelloo\r\n" + ZERO)),
    Case("chunk data shorter than its size", post(CHUNKED, body=b"5\r\nhell\r\n" + ZERO)),
    Case("chunk data ends in bare LF", post(CHUNKED, body=b"5\r\nhello\n" + ZERO)),
    Case("chunk data without line end", post(CHUNKED, body=b"5\r\nhello" + ZERO)),
    Case("last chunk ends in bare LF", post(CHUNKED, body=b"5\r\nhello\r\n0\n\n")),
    Case("last chunk's empty line is bare LF", post(CHUNKED, body=b"5\r\nhello\r\n0\r\n\n")),
    Case("extension", post(CHUNKED, body=b"5;a=b\r\nhello\r\n" + ZERO), HELLO),
    Case("extension with bare LF", post(CHUNKED, body=b"5;a\nb\r\nhello\r\n" + ZERO)),
    Case("extension with bare CR", post(CHUNKED, body=b"5;a\rb\r\nhello\r\n" + ZERO)),
    Case("extension with NUL", post(CHUNKED, body=b"5;a\0b\r\nhello\r\n" + ZERO)),
    Case("extension of a megabyte", post(CHUNKED, body=b"5;" + b"a" * 1_048_576 + b"\r\nhello\r\n" + ZERO)),
    Case("trailer", post(CHUNKED, body=b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"), HELLO),
    Case("trailer with framing", post(CHUNKED, body=b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n"), HELLO),
    Case("trailer with bare LF", post(CHUNKED, body=b"5\r\nhello\r\n0\r\nX-T: 1\n\r\n")),
    Case("trailers of a megabyte", post(CHUNKED, body=b"0\r\n" + b"X-T: aaaaaaaaaa\r\n" * 65_536 + b"\r\n")),
]

LINES = [
    Case("bare LF after the request line", b"GET /p HTTP/1.1\nHost: a\r\n\r\n"),
    Case("bare LF after a header", b"GET /p HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"),
    Case("bare LF everywhere", b"GET /p HTTP/1.1\nHost: a\n\n"),
    Case("bare LF ends the head", b"GET /p HTTP/1.1\r\nHost: a\r\n\n" + POISON),
    Case("bare CR in a value", get(b"X-A: b\rc")),
    Case("bare CR ends a line", b"GET /p HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"),
    Case("NUL in a value", get(b"X-A: b\0c")),
    Case("NUL in a name", get(b"X\0A: b")),
    Case("control character in a value", get(b"X-A: b\x01c")),
    Case("DEL in a value", get(b"X-A: b\x7fc")),
    Case("obs-fold with space", get(b"X-A: b", b" c")),
    Case("obs-fold with tab", get(b"X-A: b", b"\tTransfer-Encoding: chunked")),
    Case("space before the first header", b"GET /p HTTP/1.1\r\n Host: a\r\n\r\n"),
    Case("space before colon", get(b"X-A : b")),
    Case("space in a name", get(b"X A: b")),
    Case("no colon", get(b"nonsense")),
    Case("empty name", get(b": b")),
    Case("name with parenthesis", get(b"X(A): b")),
    Case("name with non-ASCII", get(b"X-\xe4: b")),
]

REQUEST_LINES = [
    Case("no version", b"GET /p\r\nHost: a\r\n\r\n"),
    Case("HTTP/0.9", b"GET /p HTTP/0.9\r\nHost: a\r\n\r\n"),
    Case("HTTP/1.2", b"GET /p HTTP/1.2\r\nHost: a\r\n\r\n", PLAIN),
    Case("HTTP/2.0", b"GET /p HTTP/2.0\r\nHost: a\r\n\r\n"),
    Case("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Case("HTTP/1.10", b"GET /p HTTP/1.10\r\nHost: a\r\n\r\n"),
    Case("lower-case version", b"GET /p http/1.1\r\nHost: a\r\n\r\n"),
    Case("RTSP", b"GET /p RTSP/1.0\r\nHost: a\r\n\r\n"),
    Case("lower-case method", b"get /p HTTP/1.1\r\nHost: a\r\n\r\n"),
    Case("method unknown", b"HACK /p HTTP/1.1\r\nHost: a\r\n\r\n"),
    Case("method empty", b" /p HTTP/1.1\r\nHost: a\r\n\r\n"),
    Case("CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
    Case("space in the target", b"GET /p q HTTP/1.1\r\nHost: a\r\n\r\n"),
    Case("tab after the target", b"GET /p\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    Case("NUL in the target", b"GET /p\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
    Case("control in the target", b"GET /p\x01 HTTP/1.1\r\nHost: a\r\n\r\n"),
    Case("target without slash", b"GET p HTTP/1.1\r\nHost: a\r\n\r\n"),
    Case("target with a fragment", b"GET /p#x HTTP/1.1\r\nHost: a\r\n\r\n"),
    Case("two spaces before the version", b"GET /p  HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN),
    Case("text after the version", b"GET /p HTTP/1.1 x\r\nHost: a\r\n\r\n"),
    Case("absolute form", b"GET http://a/p HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN),
    Case("empty lines first", b"\r\n\r\nGET /p HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN),
]

HOSTS = [
    Case("no host", b"GET /p HTTP/1.1\r\nX: y\r\n\r\n"),
    Case("two hosts", b"GET /p HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    Case("host list", b"GET /p HTTP/1.1\r\nHost: a, b\r\n\r\n", PLAIN),
    Case("host with a path", b"GET /p HTTP/1.1\r\nHost: a/b\r\n\r\n", PLAIN),
    Case("host with user", b"GET /p HTTP/1.1\r\nHost: u@a\r\n\r\n", PLAIN),
]

# Parsers take what follows such a head for another protocol, whatever it says of a body.
H2C, WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: h2c", b"Connection: Upgrade\r\nUpgrade: websocket"
UPGRADES = [
    Case("upgrade and a body", post(H2C, b"Content-Length: 5", body=b"hello"), HELLO),
    Case("upgrade and chunks", post(H2C, CHUNKED, body=b"5\r\nhello\r\n" + ZERO), HELLO),
    Case("upgrade and CL.TE", post(H2C, b"Content-Length: 6", CHUNKED, body=ZERO + b"G")),
    Case("upgrade and a bad chunk", post(H2C, CHUNKED, body=b"+5\r\nhello\r\n" + ZERO)),
    Case(
        "upgrade and a request within",
        post(H2C, b"Content-Length: 36", body=POISON[:36]),
        ("POST", "/p", POISON[:36]),
    ),
    Case("WebSocket and a body", post(WEBSOCKET, b"Content-Length: 5", body=b"hello"), HELLO),
    Case("WebSocket and chunks", post(WEBSOCKET, CHUNKED, body=b"5\r\nhello\r\n" + ZERO), HELLO),
    Case("CONNECT and a body", post(b"Content-Length: 5", body=b"hello").replace(b"POST", b"CONNECT", 1)),
]

CORPUS = LENGTHS + CODINGS + CHUNKS + LINES + REQUEST_LINES + HOSTS + UPGRADES
