"""How does a model backend behave that a test can make misbehave?

It runs in a thread of its own, reads requests strictly (what it cannot read without doubt it notes as
such), and does what the query says: ``?do=NAME&...`` with the names of `tests.router.data.behaviours`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as the backend read it."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    head: bytes
    connection: int
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        """Every value of a header, by its lower-case name."""
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def arguments(self) -> dict[str, str]:
        """The query's arguments."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


class Unreadable(Exception):
    """Bytes that a strict reader cannot take for one request."""


class Backend:
    """A listening backend: its port, what it saw, what it noted, and gates that hold its answers.

    While ``fault`` names a behaviour, every request gets that one.
    """

    def __init__(self, name: str = "main") -> None:
        self.name = name
        self.seen: list[Seen] = []
        self.heads: list[Seen] = []
        self.notes: list[tuple[str, object]] = []
        self.fault: str | None = None
        self.connections = 0
        self.open_connections = 0
        self._changed = threading.Condition()
        self._gates: dict[str, asyncio.Event] = {}
        self._loop = asyncio.new_event_loop()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._socket.getsockname()[1]
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def note(self, what: str, value: object = None) -> None:
        """Something that a test may wait for."""
        with self._changed:
            self.notes.append((what, value))
            self._changed.notify_all()

    def noted(self, what: str) -> list[object]:
        """The values of all notes of that name."""
        return [value for name, value in self.notes if name == what]

    def saw(self, request: Seen) -> None:
        """A request that was read whole."""
        with self._changed:
            self.seen.append(request)
            self._changed.notify_all()

    def saw_head(self, request: Seen) -> None:
        """A request of which the head was read."""
        with self._changed:
            self.heads.append(request)
            self._changed.notify_all()

    def wait(self, condition: Callable[[Backend], bool], seconds: float = 10) -> None:
        """Until the condition holds of this backend."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), seconds):
                raise AssertionError(f"did not come true in {seconds} s; notes: {self.notes[-20:]}")

    def gate(self, name: str) -> asyncio.Event:
        """The gate of that name; only for the backend's own thread."""
        return self._gates.setdefault(name, asyncio.Event())

    def open(self, name: str) -> None:
        """Let everything that waits at a gate go on."""
        self._loop.call_soon_threadsafe(lambda: self.gate(name).set())

    def close(self, name: str) -> None:
        """Shut a gate that was opened."""
        self._loop.call_soon_threadsafe(lambda: self.gate(name).clear())

    def hang_up(self) -> None:
        """Close every connection that is open now, and return when that is done."""

        async def close() -> None:
            for writer in list(self._writers):
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)

    def stop(self) -> None:
        """Stop listening and drop all connections."""

        async def cancel() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(cancel(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._socket.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, sock=self._socket, limit=_LIMIT)
        )
        self._loop.run_forever()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from tests.router.data.behaviours import BEHAVIOURS

        self.connections += 1
        number = self.connections
        self.open_connections += 1
        self._writers.add(writer)
        try:
            while (request := await read_head(reader, number)) is not None:
                self.saw_head(request)
                exchange = Exchange(self, reader, writer, request)
                behaviour = BEHAVIOURS[self.fault or request.arguments.get("do", "echo")]
                if not await behaviour(exchange):
                    break
        except Unreadable as error:
            self.note("unreadable", str(error))
        except (OSError, asyncio.IncompleteReadError):
            self.note("cut", number)
        finally:
            self.open_connections -= 1
            self._writers.discard(writer)
            writer.close()
            self.note("closed", number)


class Exchange:
    """One request on its connection, and the means to answer it."""

    def __init__(
        self, backend: Backend, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        self.backend = backend
        self.reader = reader
        self.writer = writer
        self.request = request
        self.arguments = request.arguments

    async def body(self) -> bytes:
        """The whole body; the request counts as seen from here on."""
        parts: list[bytes] = []
        await self.each_part(parts.append)
        body = b"".join(parts)
        request = self.request
        self.backend.saw(
            Seen(
                request.method,
                request.target,
                request.version,
                request.headers,
                request.head,
                request.connection,
                body,
            )
        )
        return body

    async def each_part(self, take: Callable[[bytes], object]) -> None:
        """Every part of the body as it arrives."""
        lengths, codings = self.request.values("content-length"), self.request.values("transfer-encoding")
        if len(lengths) + len(codings) > 1:
            raise Unreadable(f"framed more than once: {lengths} {codings}")
        if codings:
            if codings != ["chunked"]:
                raise Unreadable(f"transfer-encoding {codings}")
            await self._each_chunk(take)
        left = int(lengths[0]) if lengths else 0
        while left > 0:
            part = await self.reader.read(min(left, 1 << 18))
            if not part:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(part)
            take(part)

    async def _each_chunk(self, take: Callable[[bytes], object]) -> None:
        while True:
            line = await self.reader.readuntil(b"\r\n")
            size = line[:-2]
            if not size or size.strip(b"0123456789abcdefABCDEF"):
                raise Unreadable(f"chunk size {size!r}")
            left = int(size, 16)
            if left == 0:
                break
            while left > 0:
                part = await self.reader.read(min(left, 1 << 18))
                if not part:
                    raise asyncio.IncompleteReadError(b"", left)
                left -= len(part)
                take(part)
            if await self.reader.readexactly(2) != b"\r\n":
                raise Unreadable("no line end after a chunk")
        while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
            self.backend.note("trailer", line)

    async def send(self, *parts: bytes) -> None:
        """Write, and wait until the router has taken most of it."""
        self.writer.write(b"".join(parts))
        await self.writer.drain()

    async def answer(self, body: bytes, *headers: bytes, status: bytes = b"200 OK") -> None:
        """A sized answer."""
        lines = b"".join(header + b"\r\n" for header in headers)
        length = b"content-length: %d\r\n" % len(body)
        if self.request.method == "HEAD":
            body = b""
        await self.send(b"HTTP/1.1 ", status, b"\r\n", length, lines, b"\r\n", body)

    def gate(self, name: str) -> Awaitable[object]:
        """Wait until the test opens the gate."""
        return self.backend.gate(name).wait()


async def read_head(reader: asyncio.StreamReader, connection: int) -> Seen | None:
    """The next request's head, read strictly; None at the connection's end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Unreadable(f"cut in a head: {error.partial!r}") from error
        return None
    return parse_head(head, connection)


def parse_head(head: bytes, connection: int) -> Seen:
    """A head that every server reads in one way, or `Unreadable`."""
    lines = head[:-4].split(b"\r\n")
    for line in lines:
        if any((byte < 32 and byte != 9) or byte == 127 for byte in line):
            raise Unreadable(f"control character in {line!r}")
    parts = lines[0].split(b" ")
    if len(parts) != 3 or parts[2] not in (b"HTTP/1.1", b"HTTP/1.0") or not parts[1].startswith((b"/", b"*")):
        raise Unreadable(f"request line {lines[0]!r}")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name.strip() != name or b" " in name or b"\t" in name:
            raise Unreadable(f"header line {line!r}")
        headers.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))
    method, target, version = (part.decode("latin-1") for part in parts)
    return Seen(method, target, version, tuple(headers), head, connection)
