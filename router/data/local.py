"""How does a request for the service's own routes reach an ASGI application?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from router.data.exchange import Exchange
from router.data.wire import CRLF, SEPARATOR, status_line

Application = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


async def answer(application: Application, exchange: Exchange) -> bytes:
    """Run the application on a request that is here whole; its answer as bytes, with its length."""
    path, _, query = exchange.target.partition(b"?")
    head = exchange.head
    headers = [(head[at].lower(), head[at + 2]) for at in range(0, len(head), 4)]
    if exchange.host is not None:
        headers.append((b"host", exchange.host))
    body = b"".join(exchange.body + exchange.fresh)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1" if exchange.modern else "1.0",
        "method": exchange.method.decode(),
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": None,
        "server": None,
        "state": {},
    }
    out: list[bytes] = []
    parts: list[bytes] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            out.append(status_line(message["status"]))
            for name, value in message.get("headers", ()):
                if name.lower() != b"content-length":
                    out.extend((name, SEPARATOR, value, CRLF))
        else:
            parts.append(message.get("body", b""))

    await application(scope, receive, send)
    content = b"".join(parts)
    out.append(b"content-length: %d\r\n" % len(content))
    if not exchange.keep_alive:
        out.append(b"connection: close\r\n")
    elif not exchange.modern:
        out.append(b"connection: keep-alive\r\n")
    out.append(CRLF)
    if not exchange.head_only:
        out.append(content)
    return b"".join(out)
