"""Does an answer come to the same whether it is compared or only drained, however it comes in pieces?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from pathlib import Path

import pytest

from router.data.shadow_copies import Copy
from tests.router.data.backend import Backend
from tests.router.data.inprocess import eventually
from tests.router.data.shadow_stage import Stage, configured, mirrored

pytestmark = pytest.mark.usefixtures("traffic")

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = OK + b"content-length: 2\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Case:
    """What a shadow writes, each piece once the one before was read; whether it then closes."""

    pieces: Sequence[bytes]
    fate: str
    stays: bool
    closes: bool = False


CASES = {
    "at once": Case([LENGTH + b"ok"], "answered", True),
    "head in pieces": Case(
        [b"HTTP/1.1 2", b"00 OK\r\ncontent-le", b"ngth: 2\r\n\r\n", b"ok"], "answered", True
    ),
    "body in pieces": Case([LENGTH, b"o", b"k"], "answered", True),
    "chunked": Case(
        [OK + b"transfer-encoding: chunked\r\n\r\n", b"2\r\nok\r\n", b"0\r\n\r\n"], "answered", True
    ),
    "trailers": Case(
        [OK + b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-a: b\r\n", b"\r\n"], "answered", True
    ),
    "no body": Case([b"HTTP/1.1 204 No Content\r\n\r\n"], "answered", True),
    "hints first": Case(
        [b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", LENGTH + b"ok"], "answered", True
    ),
    "hints, then until it closes": Case(
        [b"HTTP/1.1 103 Early Hints\r\n\r\n", OK + b"\r\n", b"ok"], "answered", False, closes=True
    ),
    "until it closes": Case([OK + b"\r\n", b"ok"], "answered", False, closes=True),
    "until it closes, head in pieces": Case([OK, b"x-a: b\r\n\r\nok"], "answered", False, closes=True),
    "will close": Case([OK + b"connection: close\r\ncontent-length: 2\r\n\r\nok"], "answered", False),
    "will close, in pieces": Case(
        [OK + b"content-length: 2\r\n", b"connection: close\r\n\r\no", b"k"], "answered", False
    ),
    "old": Case([b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"], "answered", False),
    "cut in its head": Case([OK + b"content-le"], "failed", False, closes=True),
    "cut in its body": Case([LENGTH + b"o"], "failed", False, closes=True),
    "cut in a body before a close": Case(
        [OK + b"connection: close\r\ncontent-length: 2\r\n\r\no"], "failed", False, closes=True
    ),
    "cut in a chunk": Case([OK + b"transfer-encoding: chunked\r\n\r\n2\r\no"], "failed", False, closes=True),
    "no HTTP": Case([b"SSH-2.0-x\r\n"], "failed", False),
    "no HTTP, later": Case([OK + b"transfer-encoding: chunked\r\n\r\n", b"zz\r\n"], "failed", False),
    "protocols switched": Case(
        [b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"], "failed", False
    ),
    "a second answer": Case([LENGTH + b"ok" + LENGTH + b"no"], "answered", False),
    "the beginning of a second answer": Case([LENGTH + b"okHTTP/1.1 2"], "answered", False),
}


def was_read(copy: Copy, before: float) -> bool:
    """Whether something came of a copy since, or it ended."""
    return copy.arrived > before or copy.over


@contextlib.asynccontextmanager
async def shadow(case: Case, stage: list[Stage]) -> AsyncIterator[str]:
    """A server that answers the first request at once and all others as the case says; its address."""
    alive: set[asyncio.StreamWriter] = set()
    cases = chain([CASES["at once"]], repeat(case))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        alive.add(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                now = next(cases)
                for piece in now.pieces:
                    (copy,) = stage[0].running.plane.shadows._ensemble.targets["next"].flying
                    before = copy.arrived
                    writer.write(piece)
                    await eventually(partial(was_read, copy, before))
                if now.closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            alive.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await eventually(lambda: not alive)


@pytest.mark.parametrize("compared", [1.0, 0.0])
@pytest.mark.parametrize("name", CASES)
async def test_an_answer_comes_to_the_same_compared_or_drained(
    tmp_path: Path, main_backend: Backend, name: str, compared: float
) -> None:
    case, stages = CASES[name], list[Stage]()
    async with shadow(case, stages) as url:
        config = mirrored(main_backend, main_backend, compare={"share": compared}, timeout="10s")
        config["backends"]["next"]["url"] = url
        async with configured(tmp_path, config) as stage:
            stages.append(stage)
            client = await stage.connect()
            assert (await client.request("/"))[0] == 200
            await stage.settled(1)
            assert stage.counts.answers["answered"] == 1
            for number in range(1, 4):
                assert (await client.request("/"))[0] == 200
                await stage.settled(1 + number)
                assert stage.counts.answers[case.fate] == number + (case.fate == "answered")
                await eventually(lambda: stage.running.plane.shadows.connections == case.stays)
            assert stage.counts.uncompared["share"] == (0 if compared else 4)
