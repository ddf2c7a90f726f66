"""In which ways may a backend answer, well and badly? One function each; True keeps the connection open."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable

from tests.router.data.backend import Exchange

Behaviour = Callable[[Exchange], Awaitable[bool]]

BEHAVIOURS: dict[str, Behaviour] = {}
PART = bytes(range(256)) * 256


def behaviour(function: Behaviour) -> Behaviour:
    """Register a behaviour under its function's name."""
    BEHAVIOURS[function.__name__] = function
    return function


@behaviour
async def echo(x: Exchange) -> bool:
    """What was read, as JSON."""
    body = await x.body()
    request = x.request
    document = {
        "backend": x.backend.name,
        "method": request.method,
        "target": request.target,
        "version": request.version,
        "headers": request.headers,
        "length": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    await x.answer(json.dumps(document).encode(), b"content-type: application/json")
    return True


@behaviour
async def mirror(x: Exchange) -> bool:
    """The body as it came."""
    await x.answer(await x.body(), b"content-type: application/octet-stream")
    return True


@behaviour
async def headers(x: Exchange) -> bool:
    """An answer with headers that are for this hop only, and some that are not."""
    await x.body()
    await x.answer(
        b"ok",
        b"Connection: keep-alive, X-Private",
        b"X-Private: 1",
        b"Keep-Alive: timeout=5",
        b"Proxy-Authenticate: Basic",
        b"X-Public: 2",
        b"Set-Cookie: a=1",
        b"Set-Cookie: b=2",
        b"Server: model",
        b"Date: Thu, 01 Jan 1970 00:00:00 GMT",
    )
    return True


@behaviour
async def status(x: Exchange) -> bool:
    """The status that is asked for, with a short body unless it has none."""
    await x.body()
    code = x.arguments["code"].encode()
    if code in (b"204", b"304"):
        extra = b'etag: "e"\r\ncontent-length: 42\r\n' if code == b"304" else b""
        await x.send(b"HTTP/1.1 ", code, b" None\r\n", extra, b"\r\n")
    else:
        await x.answer(b"status", b"x-kept: yes", status=code + b" Custom Phrase")
    return True


@behaviour
async def chunked(x: Exchange) -> bool:
    """``n`` chunks of growing size."""
    await x.body()
    await x.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/plain\r\n\r\n")
    for number in range(1, int(x.arguments["n"]) + 1):
        data = PART[: number * 7]
        await x.send(b"%x\r\n" % len(data), data, b"\r\n")
    await x.send(b"0\r\n\r\n")
    return True


@behaviour
async def until_close(x: Exchange) -> bool:
    """A body that ends where the connection does."""
    await x.body()
    await x.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", PART[:5000])
    return False


@behaviour
async def old(x: Exchange) -> bool:
    """An HTTP/1.0 answer."""
    await x.body()
    await x.send(b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nold")
    return False


@behaviour
async def stream(x: Exchange) -> bool:
    """``bytes`` of body; notes how far it came each time that nothing is taken for half a second."""
    await x.body()
    left = int(x.arguments["bytes"])
    sized = x.arguments.get("framing") != "chunked"
    framing = b"content-length: %d" % left if sized else b"transfer-encoding: chunked"
    await x.send(b"HTTP/1.1 200 OK\r\n", framing, b"\r\n\r\n")
    sent = 0
    while left:
        part = PART[: min(left, len(PART))]
        left -= len(part)
        x.writer.write(part if sized else b"%x\r\n%b\r\n" % (len(part), part))
        try:
            await asyncio.wait_for(x.writer.drain(), 0.5)
        except TimeoutError:
            x.backend.note("stalled", sent)
            await x.writer.drain()
        sent += len(part)
    if not sized:
        await x.send(b"0\r\n\r\n")
    x.backend.note("streamed", sent)
    return True


@behaviour
async def endless(x: Exchange) -> bool:
    """Goes on until the other side hangs up, and notes how much it could write."""
    await x.body()
    await x.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    sent = 0
    try:
        while True:
            await x.send(b"%x\r\n" % len(PART), PART, b"\r\n")
            sent += len(PART)
    finally:
        x.backend.note("endless", sent)


@behaviour
async def count(x: Exchange) -> bool:
    """Reads the body without keeping it."""
    digest = hashlib.sha256()
    total = 0

    def take(part: bytes) -> None:
        nonlocal total
        total += len(part)
        digest.update(part)

    if "gate" in x.arguments:
        await x.gate(x.arguments["gate"])
    await x.each_part(take)
    await x.answer(b"%d %s" % (total, digest.hexdigest().encode()))
    return True


@behaviour
async def events(x: Exchange) -> bool:
    """Server-sent events, each sent when the test asks for it."""
    await x.body()
    await x.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for number in range(3):
        await x.gate(f"{x.arguments['gate']}{number}")
        data = b"data: event %d\n\n" % number
        await x.send(b"%x\r\n" % len(data), data, b"\r\n")
    await x.send(b"0\r\n\r\n")
    return True


@behaviour
async def hints(x: Exchange) -> bool:
    """103 Early Hints, then the answer."""
    await x.body()
    await x.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n")
    if "gate" in x.arguments:
        await x.gate(x.arguments["gate"])
    await x.answer(b"after hints")
    return True


@behaviour
async def proceed(x: Exchange) -> bool:
    """100 Continue of the backend's own, then echo."""
    if x.request.values("expect"):
        await x.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    return await echo(x)


@behaviour
async def decline(x: Exchange) -> bool:
    """A final answer before the body is read."""
    await x.answer(b"no", b"connection: close", status=b"401 Unauthorized")
    return False


@behaviour
async def upgrade(x: Exchange) -> bool:
    """101, then every line back in upper case; ends when the client's side ends."""
    await x.send(
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-accept: abc\r\n\r\nhello\n"
    )
    while line := await x.reader.readline():
        x.backend.note("line", line)
        if line == b"bye\n":
            break
        await x.send(line.upper())
    return False


@behaviour
async def hold(x: Exchange) -> bool:
    """Echo, when the test opens the gate."""
    body = await x.body()
    await x.gate(x.arguments["gate"])
    await x.answer(b"held %d" % len(body))
    return True


@behaviour
async def hang(x: Exchange) -> bool:
    """Never answers; notes when the router gives up."""
    await x.body()
    await x.reader.read()
    x.backend.note("hung up")
    return False


@behaviour
async def hang_in_body(x: Exchange) -> bool:
    """The answer's head and a part of its body, then nothing."""
    await x.body()
    await x.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")
    await x.reader.read()
    x.backend.note("hung up")
    return False


@behaviour
async def close(x: Exchange) -> bool:
    """No answer at all."""
    await x.body()
    return False


@behaviour
async def extra(x: Exchange) -> bool:
    """The answer, and with it, or when the test opens the gate, one that nobody asked for."""
    await x.body()
    await x.answer(b"mine")
    if "gate" in x.arguments:
        await x.gate(x.arguments["gate"])
    await x.send(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison")
    x.backend.note("poisoned", x.arguments["case"])
    return True


@behaviour
async def cut_head(x: Exchange) -> bool:
    """Half of an answer's head."""
    await x.body()
    await x.send(b"HTTP/1.1 200 OK\r\ncontent-le")
    return False


@behaviour
async def cut_body(x: Exchange) -> bool:
    """A sized or chunked body that ends too early."""
    await x.body()
    if x.arguments.get("framing") == "chunked":
        await x.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
    else:
        await x.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello")
    return False


@behaviour
async def reset(x: Exchange) -> bool:
    """A TCP reset instead of an answer."""
    await x.body()
    raw: socket.socket = x.writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    x.writer.transport.abort()
    return False


_BAD_ANSWERS: dict[str, bytes] = {
    "garbage": b"hello, this is no HTTP\r\n\r\n",
    "both": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
    "length": b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
    "nul": b"HTTP/1.1 200 OK\r\nx-a: b\0c\r\ncontent-length: 2\r\n\r\nok",
    "fold": b"HTTP/1.1 200 OK\r\nx-a: b\r\n c\r\ncontent-length: 2\r\n\r\nok",
    "status": b"HTTP/1.1 20x OK\r\ncontent-length: 2\r\n\r\nok",
    "version": b"HTTP/3.9 200 OK\r\ncontent-length: 2\r\n\r\nok",
}


@behaviour
async def bad(x: Exchange) -> bool:
    """An answer that may not be relayed."""
    await x.body()
    await x.send(_BAD_ANSWERS[x.arguments["kind"]])
    return False


@behaviour
async def big_head(x: Exchange) -> bool:
    """An answer whose head has ``bytes`` in one header."""
    await x.body()
    await x.answer(b"ok", b"x-big: " + b"a" * int(x.arguments["bytes"]))
    return True
