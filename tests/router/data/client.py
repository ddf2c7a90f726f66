"""How does a test speak HTTP byte by byte? Blocking sockets with a bound on every wait."""

from __future__ import annotations

import contextlib
import json
import select
import socket
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Head:
    """An answer's status and headers."""

    version: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    raw: bytes

    def values(self, name: str) -> list[str]:
        """Every value of a header, by its lower-case name."""
        return [value for key, value in self.headers if key.lower() == name]

    def value(self, name: str) -> str | None:
        """The only value of a header, or None."""
        values = self.values(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times: {values}"
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer, with the interim ones before it."""

    head: Head
    body: bytes
    interim: tuple[Head, ...] = ()

    @property
    def status(self) -> int:
        """The final status."""
        return self.head.status

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Connection:
    """One client connection."""

    def __init__(self, port: int, timeout: float = 15) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._held = bytearray()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *parts: bytes) -> None:
        """Write all of it."""
        self.socket.sendall(b"".join(parts))

    def request(
        self, method: str, target: str, *headers: str, body: bytes = b"", version: str = "HTTP/1.1"
    ) -> Response:
        """Send one request with a sized body, if any, and read its answer."""
        self.send_request(method, target, *headers, body=body, version=version)
        return self.response(method)

    def send_request(
        self, method: str, target: str, *headers: str, body: bytes = b"", version: str = "HTTP/1.1"
    ) -> None:
        """Send one request without waiting for its answer."""
        lines = [f"{method} {target} {version}", "Host: models.example", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1"), b"\r\n\r\n", body)

    def read_more(self) -> bool:
        """Some more bytes into what is held; False at the end."""
        data = self.socket.recv(1 << 18)
        self._held += data
        return bool(data)

    def take(self, size: int) -> bytes:
        """Exactly so many bytes."""
        while len(self._held) < size:
            assert self.read_more(), f"closed after {len(self._held)} of {size} bytes"
        data = bytes(self._held[:size])
        del self._held[:size]
        return data

    def until(self, end: bytes) -> bytes:
        """Everything up to and with ``end``."""
        while (at := self._held.find(end)) < 0:
            assert self.read_more(), f"closed before {end!r}: {bytes(self._held)[-200:]!r}"
        return self.take(at + len(end))

    def head(self) -> Head:
        """The next answer's head."""
        raw = self.until(b"\r\n\r\n")
        lines = raw[:-4].decode("latin-1").split("\r\n")
        version, status, reason = (lines[0] + " ").split(" ", 2)
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            assert colon, f"header line {line!r} in {raw!r}"
            assert name, f"header line {line!r} in {raw!r}"
            assert name.strip() == name, f"header line {line!r} in {raw!r}"
            headers.append((name, value.strip()))
        return Head(version, int(status), reason.strip(), tuple(headers), raw)

    def body(self, head: Head, method: str = "GET") -> bytes:
        """The body that belongs to a head."""
        if method == "HEAD" or head.status in (204, 304) or head.status < 200:
            return b""
        coding, length = head.value("transfer-encoding"), head.value("content-length")
        assert coding is None or length is None, "both framings at once"
        if coding is not None:
            assert coding == "chunked"
            return b"".join(self.chunks())
        return self.take(int(length)) if length is not None else self.rest()

    def chunks(self) -> list[bytes]:
        """The chunks of a chunked body, as they are framed on this connection."""
        found = []
        while size := int(self.until(b"\r\n"), 16):
            found.append(self.take(size))
            assert self.take(2) == b"\r\n"
        assert self.until(b"\r\n") == b"\r\n"
        return found

    def response(self, method: str = "GET") -> Response:
        """The next final answer."""
        interim = []
        while (head := self.head()).status < 200 and head.status != 101:
            interim.append(head)
        return Response(head, self.body(head, method), tuple(interim))

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        with contextlib.suppress(ConnectionResetError):
            while self.read_more():
                pass
        data = bytes(self._held)
        self._held.clear()
        return data

    def is_closed(self) -> bool:
        """Whether the other side closes now without another byte."""
        return self.rest() == b""


def exchange(port: int, raw: bytes) -> bytes:
    """Send bytes; everything that comes back until the other side ends the connection."""
    with Connection(port) as connection:
        with contextlib.suppress(OSError):
            connection.send(raw)
        return connection.rest()


def trickle(port: int, raw: bytes) -> bytes:
    """The same, one byte at a time, until an answer comes."""
    with Connection(port) as connection:
        with contextlib.suppress(OSError):
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(len(raw)):
                if select.select([connection.socket], [], [], 0)[0]:
                    break
                connection.send(raw[at : at + 1])
        return connection.rest()


def assert_problem(response: Response, status: int, reason: str | None = None) -> None:
    """An answer of the router's own, in the form that is promised."""
    assert response.status == status, (response.head.raw, response.body[:500])
    assert response.head.value("content-type") == "application/problem+json"
    error = response.head.value("x-turnout-error")
    assert error
    if reason is not None:
        assert error == reason
    document = response.json()
    assert document["status"] == status
    assert {"type", "title", "detail"} <= document.keys()
