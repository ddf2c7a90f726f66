"""Does a client get the same whether an answer's head had been read before or not, whatever comes with it?"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from router.data.heads import MOST, Heads, KnownHead
from router.data.plane import Plane
from router.data.request import Request
from tests.router.data.inprocess import eventually, running, state_of

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a backend writes, each piece once the one before was read; whether it then closes."""

    pieces: tuple[bytes, ...]
    closes: bool = False


WHOLE = Answer((OK + b"\r\n{}",))
ANSWERS = {
    "whole": WHOLE,
    "another body": Answer((OK + b"\r\n[]",)),
    "another head": Answer((OK + b"x-a: b\r\n\r\n{}",)),
    "another status": Answer((b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno",)),
    "an odd status": Answer((b"HTTP/1.1 299 \r\ncontent-length: 2\r\n\r\nno",)),
    "nothing": Answer((b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",)),
    "head and body apart": Answer((OK + b"\r\n", b"{}")),
    "body in pieces": Answer((OK + b"\r\n{", b"}")),
    "head in pieces": Answer((OK[:20], OK[20:] + b"\r\n{}")),
    "the first byte alone": Answer((OK[:1], OK[1:] + b"\r\n{}")),
    "hints before": Answer((HINTS, OK + b"\r\n{}")),
    "hints with it": Answer((HINTS + OK + b"\r\n{}",)),
    "half of the hints": Answer((HINTS[:-2], b"\r\n" + OK + b"\r\n{}")),
    "old hints": Answer((HINTS.replace(b"1.1", b"1.0", 1), OK + b"\r\n{}")),
    "hints with which it closes": Answer((HINTS[:-2] + b"connection: close\r\n\r\n", OK + b"\r\n{}")),
    "hints that have a length": Answer((b"HTTP/1.1 104 A\r\ncontent-length: 70\r\n\r\n", OK + b"\r\n{}")),
    "hints with a length of nothing": Answer((HINTS[:-2] + b"content-length: 0\r\n\r\n", OK + b"\r\n{}")),
    "a line before": Answer((b"\r\n" + OK + b"\r\n{}",)),
    "a line, alone": Answer((b"\r\n", OK + b"\r\n{}")),
    "too much": Answer((OK + b"\r\n{}{}",)),
    "a second answer": Answer((OK + b"\r\n{}" + OK + b"\r\n[]",)),
    "too little": Answer((OK + b"\r\n{",), closes=True),
    "then closed": Answer((OK + b"\r\n{}",), closes=True),
    "says that it closes": Answer((OK + b"connection: close\r\n\r\n{}",), closes=True),
    "says that it closes, and does not": Answer((OK + b"connection: close\r\n\r\n{}",)),
    "names a header of the connection's": Answer((OK + b"connection: x-b\r\nx-b: c\r\n\r\n{}",)),
    "old": Answer((OK.replace(b"1.1", b"1.0", 1) + b"\r\n{}",), closes=True),
    "old, and stays": Answer((OK.replace(b"1.1", b"1.0", 1) + b"connection: keep-alive\r\n\r\n{}",)),
    "chunked": Answer((CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",)),
    "chunked, in pieces": Answer((CHUNKED, b"2\r\n{}\r\n", b"0\r\n\r\n")),
    "until it closes": Answer((b"HTTP/1.1 200 OK\r\n\r\n{}",), closes=True),
    "without content": Answer((b"HTTP/1.1 204 No Content\r\n\r\n",)),
    "not modified": Answer((b"HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\n",)),
    "two lengths": Answer((OK + b"content-length: 3\r\n\r\n{}",)),
    "no HTTP": Answer((b"SSH-2.0-x\r\n\r\n",)),
    "closed at once": Answer((), closes=True),
}
# What a client may send.
REQUESTS = {
    "plain": b"POST /%d HTTP/1.1\r\nhost: m\r\nx-request-id: r\r\ncontent-length: 2\r\n\r\n{}",
    "closing": b"GET /%d HTTP/1.1\r\nhost: m\r\nx-request-id: r\r\nconnection: close\r\n\r\n",
    "old": b"GET /%d HTTP/1.0\r\nhost: m\r\nx-request-id: r\r\n\r\n",
    "old, and stays": b"GET /%d HTTP/1.0\r\nhost: m\r\nx-request-id: r\r\nconnection: keep-alive\r\n\r\n",
    "head": b"HEAD /%d HTTP/1.1\r\nhost: m\r\nx-request-id: r\r\n\r\n",
}
NAMES = list(ANSWERS)


def read_since(request: Request | None, before: float) -> bool:
    """Whether the router has read something of the answer since, or is done with the request."""
    return request is None or request.over or request.arrived != before


class Backend:
    """Answers each request as the number says that is its path."""

    def __init__(self) -> None:
        self.plane: Plane | None = None
        self._alive: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._alive.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"content-length" in head:
                    await reader.readexactly(2)
                method, target = head.split(b" ")[:2]
                answer = ANSWERS[NAMES[int(target[1:])]]
                await self._write(answer, writer, head_only=method == b"HEAD")
                if answer.closes:
                    break
        await hang_up(writer)
        self._alive.discard(writer)

    async def _write(self, answer: Answer, writer: asyncio.StreamWriter, *, head_only: bool) -> None:
        assert self.plane is not None
        for piece in answer.pieces:
            request = next((each.current for each in self.plane.clients if each.current is not None), None)
            before = 0.0 if request is None else request.arrived
            start, found, _ = piece.rpartition(b"\r\n\r\n")
            writer.write(start + found if head_only and found else piece)
            await eventually(partial(read_since, request, before))

    @property
    def over(self) -> bool:
        """Whether all connections are."""
        return not self._alive


@contextlib.asynccontextmanager
async def routed(folder: Path) -> AsyncIterator[tuple[Plane, int]]:
    """A plane before one backend, and its port."""
    backend = Backend()
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    config = {"backends": {"main": {"url": url}}, "routes": [{"path": "/", "backend": "main"}]}
    async with running(state_of(config), folder) as found:
        backend.plane = found.plane
        yield found.plane, found.port
    server.close()
    await eventually(lambda: backend.over)


async def answer_to(reader: asyncio.StreamReader, *, head_only: bool) -> bytes:
    """All that came of one answer, interim ones included, up to its end or the connection's."""
    came = b""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            came += head
            if not head.startswith(b"HTTP/1.1 1"):
                break
        if head_only or head[9:12] in (b"204", b"304"):
            return came
        if b"transfer-encoding" in head:
            return came + await reader.readuntil(b"0\r\n\r\n")
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return came + (await reader.readexactly(int(length)) if length else await reader.read())
    except asyncio.IncompleteReadError as error:
        return came + error.partial + b"<end>"


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close a connection, whatever became of it."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def conversation(
    folder: Path, steps: list[tuple[str, str]], *, remember: bool
) -> tuple[list[bytes], int]:
    """What a client got at each step, and how many answers had a head that was known."""
    came: list[bytes] = []
    async with routed(folder) as (plane, port):
        heads = plane.pools["main"].heads
        if not remember:
            heads._paused_until = float("inf")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for request, answer in steps:
                writer.write(REQUESTS[request] % NAMES.index(answer))
                async with asyncio.timeout(20):
                    got = await answer_to(reader, head_only=request == "head")
                    if request in ("closing", "old") or b"connection: close" in got or b"<end>" in got:
                        got += b"<then>" + await reader.read()
                        await hang_up(writer)
                        reader, writer = await asyncio.open_connection("127.0.0.1", port)
                came.append(got)
        finally:
            await hang_up(writer)
    return came, heads.hits


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_is_the_same_after_one_with_the_same_head(
    tmp_path: Path, name: str, request_: str
) -> None:
    steps = [("plain", "whole"), ("plain", name), (request_, name), (request_, "whole"), ("plain", name)]
    known, hits = await conversation(tmp_path, steps, remember=True)
    read, none = await conversation(tmp_path, steps, remember=False)
    assert known == read
    assert none == 0
    assert hits > 0 or name != "whole"


@pytest.mark.parametrize("seed", range(12))
async def test_any_conversation_is_the_same(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    steps = [
        (draw.choice(["plain", "plain", *REQUESTS]), draw.choice(["whole", "another body", *NAMES]))
        for _ in range(60)
    ]
    known, hits = await conversation(tmp_path, steps, remember=True)
    read, _ = await conversation(tmp_path, steps, remember=False)
    assert known == read
    assert hits > 0


class Clock:
    """A clock that stands."""

    now = 100.0


def test_no_more_than_so_many_heads_are_kept() -> None:
    heads = Heads(Clock())
    for number in range(5 * MOST):
        heads.learn(b"%d" % number, KnownHead(200, 1, b""))
        heads.hits += 10
        assert len(heads.known) <= MOST
    assert heads.learning


def test_heads_that_never_come_again_are_not_kept_for_a_while() -> None:
    clock = Clock()
    heads = Heads(clock)
    for number in range(MOST + 1):
        assert heads.learning
        heads.learn(b"%d" % number, KnownHead(200, 1, b""))
    assert not heads.learning
    clock.now += 60.0
    assert heads.learning
