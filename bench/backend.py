"""How cheap can a model backend be, so that what is measured is the proxy before it?

Answers every request with the same small JSON over HTTP/1.1 keep-alive, without parsing more than the framing
of a request that has a Content-Length or no body. Each port answers with a name of its own, of one letter. As
servers do it says the date, so that its answers' heads change every second.

    python -m bench.backend 9001:a 9002:b
"""

from __future__ import annotations

import asyncio
import sys
from email.utils import formatdate
from functools import partial
from typing import cast

import uvloop

_LENGTH = b"content-length:"


def answer_body(name: str) -> bytes:
    """What the backend of that one-letter name answers; the same length for every name."""
    return b'{"model":"%s","label":7,"scores":[0.01,0.02,0.90,0.03,0.04]}' % name.encode("ascii")


class Model:
    """What one port answers at present."""

    def __init__(self, name: str) -> None:
        self._body = answer_body(name)
        self.answer = b""
        self._say_date()

    def _say_date(self) -> None:
        asyncio.get_running_loop().call_later(1.0, self._say_date)
        head = b"HTTP/1.1 200 OK\r\ndate: %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.answer = head % (formatdate(usegmt=True).encode(), len(self._body)) + self._body


class Backend(asyncio.Protocol):
    """One connection: counts off requests, writes the same answer for each."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._transport: asyncio.Transport | None = None
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's class is not registered as one

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        while data and (size := request_size(data)) <= len(data):
            data = data[size:]
            if self._transport is not None:
                self._transport.write(self._model.answer)
        self._held = data


def request_size(data: bytes) -> int:
    """The bytes of the request that ``data`` starts with; more than it holds when it is not whole yet."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return len(data) + 1
    head = data[: end + 2].lower()
    at = head.find(_LENGTH)
    if at < 0:
        if b"transfer-encoding" in head:
            raise ValueError("this backend reads no chunked bodies")
        return end + 4
    return end + 4 + int(head[at + len(_LENGTH) : head.find(b"\r", at)])


async def serve(places: list[tuple[int, str]]) -> None:
    """Listen on every (port, name), say so, and go on until the process is ended."""
    loop = asyncio.get_running_loop()
    for port, name in places:
        await loop.create_server(partial(Backend, Model(name)), "127.0.0.1", port, backlog=4096)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    pairs = [argument.split(":") for argument in sys.argv[1:]]
    uvloop.run(serve([(int(port), name) for port, name in pairs]))
