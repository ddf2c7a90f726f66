"""Are connections counted right, requests answered, and memory bounded, whatever goes wrong on the way?

The pool's own figures are looked at from inside, on real sockets, after each thing that can go wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.router.data.inprocess import Running, eventually, running, state_of

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Handler = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


@contextlib.asynccontextmanager
async def backend(answer: Handler) -> AsyncIterator[int]:
    """A backend that is asked for each request what to do; its port."""

    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError)
        with contextlib.closing(writer), contextlib.suppress(*ended):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if length := re.search(rb"content-length: (\d+)", head):
                    await reader.readexactly(int(length[1]))
                if not await answer(head, reader, writer):
                    break

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)


def config(*ports: int, **changes: Any) -> dict[str, Any]:
    """One backend at these ports for every path."""
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    return {"backends": {"b": {"url": urls} | changes}, "routes": [{"path": "/", "backend": "b"}]}


def accounts(plane: Running) -> list[tuple[int, int, int]]:
    """Of each address: connections open, requests outstanding, connections idle."""
    addresses = plane.pool("b").addresses
    return [(address.open, address.outstanding, len(address.idle)) for address in addresses]


class Gated:
    """Answers when the gate is open; what it was asked."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.heads: list[bytes] = []

    async def __call__(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.heads.append(head)
        await self.gate.wait()
        writer.write(OK)
        return True


# -- the queue -------------------------------------------------------------------------------------------


async def test_a_request_that_is_refused_while_it_waits_is_not_sent_after_all(tmp_path: Path) -> None:
    handler = Gated()
    async with backend(handler) as port:
        state = state_of(config(port, max_connections=1, wait_timeout="10s"))
        async with running(state, tmp_path) as plane:
            first = await plane.connect()
            first.send("GET", "/first")
            await eventually(lambda: handler.heads)
            bad = await plane.connect()
            start = b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            bad.writer.write(start + b"7000\r\n" + b"x" * 0x7000 + b"\r\nZZ\r\n")
            assert (await bad.answer())[0] == 400
            assert plane.pool("b").waiting == 0
            handler.gate.set()
            assert (await first.answer())[0] == 200
            assert (await first.request("/second"))[0] == 200
            assert [head.split(b" ")[1] for head in handler.heads] == [b"/first", b"/second"]
            assert accounts(plane) == [(1, 0, 1)]


async def test_those_who_wait_are_served_over_a_change(tmp_path: Path) -> None:
    handler = Gated()
    async with backend(handler) as port:
        before = state_of(config(port, max_connections=1, wait_timeout="10s"))
        async with running(before, tmp_path) as plane:
            clients = [await plane.connect() for _ in range(4)]
            for client in clients:
                client.send("GET", "/")
            await eventually(lambda: plane.pool("b").waiting == 3)
            old = plane.pool("b")
            plane.plane.adopt(state_of(config(port, max_connections=2), before))
            handler.gate.set()
            assert [(await client.answer())[0] for client in clients] == [200] * 4
            await eventually(lambda: old.addresses[0].open == 0)


async def test_a_client_that_goes_while_it_waits_costs_nothing(tmp_path: Path) -> None:
    handler = Gated()
    async with backend(handler) as port:
        state = state_of(config(port, max_connections=1, wait_timeout="10s"))
        async with running(state, tmp_path) as plane:
            clients = [await plane.connect() for _ in range(11)]
            for client in clients:
                client.send("POST", "/", body=b"x")
            await eventually(lambda: plane.pool("b").waiting == 10)
            asked = next(
                client for client in plane.plane.clients if client.current and client.current.connection
            )
            answered = [
                client
                for client in clients
                if client.writer.get_extra_info("sockname") != asked.transport.get_extra_info("peername")
            ]
            for client in answered[:5]:
                client.writer.transport.abort()
            await eventually(lambda: plane.pool("b").waiting == 5)
            handler.gate.set()
            assert [(await client.answer())[0] for client in answered[5:]] == [200] * 5
            assert len(handler.heads) == 6
            assert accounts(plane) == [(1, 0, 1)]


# -- connections that are no good -------------------------------------------------------------------------


@contextlib.contextmanager
def listener() -> Any:
    """A listening socket that does not block."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        listening.setblocking(False)
        yield listening


async def busy() -> None:
    """The loop has something else to do all the time, as under load."""
    while True:
        time.sleep(0.002)
        await asyncio.sleep(0)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("greeting", [b"", b"220 hello\r\n"])
def test_a_connection_that_ends_or_speaks_at_once_is_a_502_soon(
    tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop], greeting: bytes
) -> None:
    """No request waits for the answer of a connection that is gone, and none tries again for ever."""

    async def run() -> None:
        accepted = []

        async def accept(listening: socket.socket) -> None:
            while True:
                connection, _ = await asyncio.get_running_loop().sock_accept(listening)
                if greeting:
                    connection.send(greeting)
                    accepted.append(connection)
                else:
                    accepted.append(connection)
                    connection.close()

        with listener() as listening:
            tasks = [asyncio.ensure_future(work) for work in (accept(listening), busy())]
            async with running(state_of(config(listening.getsockname()[1])), tmp_path) as plane:
                clients = [await plane.connect() for _ in range(20)]
                for client in clients:
                    client.send("GET", "/")
                assert [(await client.answer())[0] for client in clients] == [502] * 20
                await eventually(lambda: accounts(plane) == [(0, 0, 0)])
                assert len(accepted) <= 4 * 20
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for connection in accepted:
                connection.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


async def test_a_host_that_is_no_name_is_a_502(tmp_path: Path) -> None:
    data = config(1)
    data["backends"]["b"]["url"] = "http://a..b:80"
    async with running(state_of(data), tmp_path) as plane:
        client = await plane.connect()
        assert (await client.request("/"))[0] == 502
        assert accounts(plane) == [(0, 0, 0)]


async def test_an_answer_that_ends_its_connection_is_a_success(tmp_path: Path) -> None:
    """Failures with such answers between them are not in a row, and set no address aside."""

    async def answer(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if b"/old" in head:
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
        return False

    async with (
        backend(answer) as one,
        backend(answer) as two,
        running(state_of(config(one, two)), tmp_path) as plane,
    ):
        for _ in range(8):
            client = await plane.connect()
            for target, expected in (("/cut", 502), ("/cut", 502), ("/old", 200), ("/old", 200)):
                client.send("POST", target, body=b"x")
                assert (await client.answer())[0] == expected
        assert [address.aside_until for address in plane.pool("b").addresses] == [0.0, 0.0]


async def test_nothing_leaks_whatever_both_sides_do(tmp_path: Path) -> None:
    """Both cut, stall and babble; then everything is as before."""
    chance = random.Random(5)

    async def answer(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(chance.choice([0, 0, 0.01, 0.2]))
        raw, goes_on = chance.choice(
            [
                (OK, True),
                (OK, True),
                (OK, True),
                (b"", False),
                (b"garbage\r\n\r\n", True),
                (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", False),
                (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nto the end", False),
                (OK + b"more", True),
            ]
        )
        writer.write(raw)
        return goes_on

    async def client(plane: Running) -> None:
        for _ in range(40):
            one = await plane.connect()
            match chance.randrange(5):
                case 0:
                    one.send("POST", "/", body=b"x" * 1000)
                case 1:
                    start = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7000\r\n"
                    one.writer.write(start + b"x" * 0x7000 + b"\r\nZZ\r\n")
                case 2:
                    one.writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
                case _:
                    for _ in range(chance.randrange(1, 4)):
                        one.send("GET", "/")
            with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError, ConnectionError):
                await one.answer(chance.choice([0.01, 0.3]))
            one.writer.transport.abort()

    async with backend(answer) as first, backend(answer) as second:
        bounds = {
            "max_connections": 4,
            "max_waiting": 10,
            "wait_timeout": "100ms",
            "first_byte_timeout": "150ms",
        }
        async with running(state_of(config(first, second, **bounds)), tmp_path) as plane:
            await asyncio.gather(*(client(plane) for _ in range(15)))
            await eventually(lambda: not plane.plane.clients)
            await eventually(lambda: plane.pool("b").waiting == 0)
            await eventually(
                lambda: all(busy == 0 and open_ == idle for open_, busy, idle in accounts(plane))
            )
            assert plane.faults == []


# -- memory and order -------------------------------------------------------------------------------------


async def test_a_client_that_does_not_read_holds_back_a_request_that_had_to_wait(tmp_path: Path) -> None:
    """Its buffer fills while it has no connection; the one that it then gets must not be read into it."""
    gated = Gated()

    async def answer(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if b"/held" in head:
            return await gated(head, reader, writer)
        size = 40_000 if b"/small" in head else 64 << 20
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(0, size, 40_000):
            writer.write(b"x" * min(size, 40_000))
            await writer.drain()
        return False

    async with backend(answer) as port:
        data = config(port) | {"routes": [{"path": "/", "backend": "b"}, {"path": "/one", "backend": "one"}]}
        data["backends"]["one"] = data["backends"]["b"] | {"max_connections": 1, "wait_timeout": "30s"}
        async with running(state_of(data), tmp_path) as plane:
            hog = await plane.connect()
            hog.send("GET", "/one/held")
            await eventually(lambda: gated.heads)
            slow = socket.socket()
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", plane.port))
            await eventually(lambda: len(plane.plane.clients) == 2)
            name = slow.getsockname()
            (mine,) = [c for c in plane.plane.clients if c.transport.get_extra_info("peername") == name]
            mine.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            mine.transport.set_write_buffer_limits(high=8192)
            slow.sendall(
                b"".join(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in (b"/small", b"/one/big"))
            )
            await eventually(lambda: plane.pool("one").waiting == 1)
            await eventually(lambda: mine.send_deadline < float("inf"))
            gated.gate.set()
            await hog.answer()
            await eventually(lambda: mine.current is not None and mine.current.connection is not None)
            # Until its backend cannot write any more, the buffers of the sockets between being full.
            before = -1
            while (size := mine.transport.get_write_buffer_size()) != before:
                before = size
                await asyncio.sleep(0.2)
            slow.close()
            assert size < 1 << 20


@pytest.mark.parametrize("count", [600, 3000])
async def test_pipelined_requests_that_are_refused_at_once(tmp_path: Path, count: int) -> None:
    """However many: one after the other, and not each within the one before."""
    handler = Gated()
    async with backend(handler) as port:
        data = config(port) | {"routes": [{"path": "/b", "backend": "b"}]}
        async with running(state_of(data), tmp_path) as plane:
            client = await plane.connect()
            client.send("GET", "/b")
            await eventually(lambda: handler.heads)
            client.writer.write(b"GET /x HTTP/1.1\r\nHost:a\r\n\r\n" * count)
            await eventually(lambda: sum(len(one._queue) for one in plane.plane.clients) > 500)
            handler.gate.set()
            assert (await client.answer())[0] == 200
            assert [(await client.answer())[0] for _ in range(count)] == [404] * count
            assert plane.faults == []


async def test_pipelined_requests_are_answered_by_a_worker_that_ends(tmp_path: Path) -> None:
    handler = Gated()
    async with backend(handler) as port, running(state_of(config(port)), tmp_path) as plane:
        client = await plane.connect()
        for _ in range(5):
            client.send("GET", "/")
        await eventually(lambda: sum(len(one._queue) for one in plane.plane.clients) == 4)
        plane.plane.draining = True
        for one in list(plane.plane.clients):
            one.shutdown()
        handler.gate.set()
        answers = [await client.answer() for _ in range(5)]
        assert [status for status, _, _ in answers] == [200] * 5
        # Only the last one says that it is the last.
        assert [headers.get("connection") for _, headers, _ in answers] == [None] * 4 + ["close"]


async def test_a_request_without_a_host_says_how_it_came(tmp_path: Path) -> None:
    handler = Gated()
    handler.gate.set()
    async with backend(handler) as port, running(state_of(config(port)), tmp_path) as plane:
        client = await plane.connect()
        client.writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.answer())[0] == 200
        assert b"\r\nx-forwarded-proto: http\r\n" in handler.heads[0]
        assert b"x-forwarded-host" not in handler.heads[0]


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified", b"200 OK"])
@pytest.mark.parametrize("late", [False, True])
async def test_a_body_where_none_may_be_reaches_nobody(tmp_path: Path, status: bytes, late: bool) -> None:
    came = asyncio.Event()

    async def answer(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if b"/good" in head:
            writer.write(OK)
            return True
        writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 5\r\n\r\n")
        if late:
            await came.wait()
        writer.write(b"hello")
        return True

    async with backend(answer) as port, running(state_of(config(port)), tmp_path) as plane:
        client = await plane.connect()
        client.send("HEAD" if status.startswith(b"200") else "GET", "/bad")
        assert status in await client.reader.readuntil(b"\r\n\r\n")
        came.set()
        await eventually(lambda: accounts(plane) == [(0, 0, 0)])
        for _ in range(3):
            assert (await client.request("/good"))[2] == b"ok"
        assert plane.faults == []
