"""Is a request whose variant cannot serve served once by the fallback, and counted for what was assigned?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from socket import socket
from typing import Any

import pytest

from router.token import FALLBACK, read_token
from tests.router.data.backend import Backend
from tests.router.data.conftest import experiment
from tests.router.data.inprocess import KEY, Running, eventually, running, state_of


@pytest.fixture
def closed_port() -> Any:
    """A port on which nobody listens."""
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def config(main: str, challenger: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """All units get the challenger; the champion stands in for it."""
    variants = {
        "champion": {"backend": "main", "weight": 0},
        "challenger": {"backend": "challenger", "weight": 1},
    }
    return {
        "backends": {"main": {"url": main}, "challenger": challenger},
        "routes": [
            {"path": "/once", "backend": "main", "experiment": "ranker"},
            {"path": "/again", "backend": "main", "experiment": "ranker", "repeatable": True},
        ],
        "experiments": {"ranker": experiment(variants=variants, fallback="champion") | changes},
    }


def served(plane: Running) -> dict[tuple[str, str, int], tuple[int, int]]:
    """By variant, backend and status: how many requests, and fallbacks among them."""
    plane.plane.recorder.take(0.0)
    return {
        (series.variant, series.backend, status): (count, series.fallbacks)
        for series in plane.plane.meter.totals().series
        for status, count in series.statuses.items()
    }


async def test_nobody_listens(main_backend: Backend, closed_port: int, tmp_path: Path) -> None:
    state = state_of(config(main_backend.url, {"url": f"http://127.0.0.1:{closed_port}"}))
    async with running(state, tmp_path) as plane:
        client = await plane.connect()
        client.send("POST", "/once", "X-User-Id: u", body=b"hello")
        status, headers, body = await client.answer()
        assert status == 200
        assert b'"main"' in body
        token = read_token(headers["x-turnout-token"], KEY)
        assert (token.variant, token.flags) == ("challenger", FALLBACK)
        assert served(plane) == {("challenger", "main", 200): (1, 1)}
        assert plane.plane.meter.refusals == {}
        assert plane.faults == []


async def test_without_a_fallback_the_failure_is_the_answer(
    main_backend: Backend, closed_port: int, tmp_path: Path
) -> None:
    data = config(main_backend.url, {"url": f"http://127.0.0.1:{closed_port}"}, fallback=None)
    async with running(state_of(data), tmp_path) as plane:
        status, headers, _ = await (await plane.connect()).request("/once", "X-User-Id: u")
        assert (status, headers["x-turnout-error"]) == (502, "connect-failed")
        assert served(plane) == {("challenger", "challenger", 502): (1, 0)}


async def test_both_fail(closed_port: int, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    async with running(state_of(config(url, {"url": url})), tmp_path) as plane:
        status, headers, _ = await (await plane.connect()).request("/once", "X-User-Id: u")
        assert (status, headers["x-turnout-error"]) == (502, "connect-failed")
        assert read_token(headers["x-turnout-token"], KEY).flags == FALLBACK
        assert served(plane) == {("challenger", "main", 502): (1, 1)}


async def test_the_pool_is_full_or_waits_too_long(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    few = {"url": challenger_backend.url, "max_connections": 1, "max_waiting": 1, "wait_timeout": "300ms"}
    async with running(state_of(config(main_backend.url, few)), tmp_path) as plane:
        holding = await plane.connect()
        holding.send("POST", "/once?do=hold&gate=full&case=full", "X-User-Id: u", body=b"x")
        await eventually(lambda: any("case=full" in head.target for head in challenger_backend.heads))
        waiting = await plane.connect()
        waiting.send("POST", "/once?second", "X-User-Id: u", body=b"x")
        await eventually(lambda: plane.pool("challenger").waiting == 1)
        full = await plane.connect()
        full.send("POST", "/once?third", "X-User-Id: u", body=b"x")
        assert (await full.answer())[0] == 200
        assert (await waiting.answer())[0] == 200
        counts = plane.pool("challenger").counts
        assert (counts.full, counts.timeouts) == (1, 1)
        challenger_backend.open("full")
        assert (await holding.answer())[0] == 200
        assert served(plane) == {
            ("challenger", "challenger", 200): (1, 0),
            ("challenger", "main", 200): (2, 2),
        }
        assert plane.faults == []


@contextlib.asynccontextmanager
async def answering_with(piece: bytes) -> AsyncIterator[str]:
    """The URL of a backend that reads a request, answers no more than this, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(piece)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("path", "method", "piece", "expected"),
    [
        ("/again", "POST", b"", 200),
        ("/once", "PUT", b"", 200),
        ("/once", "POST", b"", 502),
        ("/again", "POST", b"HTTP/1.1 200 OK\r\ncontent", 502),
        ("/again", "POST", b"this is no HTTP\r\n\r\n", 502),
    ],
)
async def test_a_broken_connection_falls_back_where_the_request_may_be_repeated(
    main_backend: Backend, tmp_path: Path, path: str, method: str, piece: bytes, expected: int
) -> None:
    async with (
        answering_with(piece) as url,
        running(state_of(config(main_backend.url, {"url": url})), tmp_path) as plane,
    ):
        client = await plane.connect()
        client.send(method, path, "X-User-Id: u", body=b"x")
        status, _, body = await client.answer()
        assert status == expected
        assert (b'"main"' in body) == (expected == 200)
        backend = "main" if expected == 200 else "challenger"
        assert served(plane) == {("challenger", backend, expected): (1, int(expected == 200))}
        assert plane.faults == []


@pytest.mark.parametrize(("path", "expected"), [("/again", 200), ("/once", 504)])
async def test_silence_falls_back_only_where_it_may_be_repeated(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path, path: str, expected: int
) -> None:
    gate = f"silent-{expected}"
    main_backend.open(gate)
    slow = {"url": challenger_backend.url, "first_byte_timeout": "300ms"}
    async with running(state_of(config(main_backend.url, slow)), tmp_path) as plane:
        client = await plane.connect()
        client.send("POST", f"{path}?do=hold&gate={gate}", "X-User-Id: u", body=b"x")
        assert (await client.answer())[0] == expected
        challenger_backend.open(gate)
        assert plane.faults == []
