"""Does a load test find what a real backend can take, with requests of a file and of live traffic?"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from router.cli.client import Client
from router.cli.contexts import target_of
from router.cli.loadtest.capture import change
from router.cli.loadtest.requests import Recorded
from router.cli.loadtest.sender import Aim, Sender
from tests.router.cli.conftest import Turnout
from tests.router.cli.serving import serving
from tests.router.data.backend import Backend

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@asynccontextmanager
async def model(seconds: float, answer: bytes = OK, *, closes: bool = False) -> AsyncIterator[int]:
    """A model server that computes one answer after another, each for so long; its port."""
    turn = asyncio.Lock()
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                async with turn:
                    await asyncio.sleep(seconds)
                writer.write(answer)
                if closes:
                    break
            writer.close()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)
        await server.wait_closed()


def sender(port: int, connections: int = 64, timeout: float = 5.0) -> Sender:
    message = Recorded("GET", "/").written("127.0.0.1")
    return Sender(Aim("127.0.0.1", port, connections, timeout), [message], seed=1)


async def test_all_are_answered_below_the_capacity_and_wait_longer_above_it() -> None:
    async with model(0.01) as port:
        sending = sender(port)
        below = await sending.step(20, 1.0, lambda due, answered: None)
        above = await sending.step(200, 1.0, lambda due, answered: None)
        sending.close()
    assert below.failed == above.failed == 0
    assert below.due == pytest.approx(20, abs=18)
    assert above.due == pytest.approx(200, abs=60)
    # At twice what it can take the queue grows by half a second in each second, and the wait counts.
    assert above.p99 > 0.3 > below.p50


@pytest.mark.parametrize(
    ("answer", "what", "closes"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", "of status 503", False),
        (b"HTTP/1.1 500 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", "of status 500", False),
        (b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n", "of status 429", False),
        (b"that is not HTTP\r\n\r\n", "no HTTP", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\ncut", "closed before a whole answer", True),
    ],
)
async def test_failures_are_counted(answer: bytes, what: str, closes: bool) -> None:
    async with model(0.0, answer, closes=closes) as port:
        sending = sender(port)
        step = await sending.step(100, 0.5, lambda due, answered: None)
        sending.close()
    assert (step.answered, step.failed) == (0, step.due)
    assert step.errors == 1.0
    assert step.failures == {what: step.due}


HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nas long as the connection"
HINTS = b"HTTP/1.1 103 Early Hints\r\n\r\n"
CHUNKED = HINTS + b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "answer", "closes"),
    [("HEAD", HEAD, False), ("GET", UNTIL_CLOSE, True), ("GET", CHUNKED, False)],
)
async def test_an_answer_ends_where_its_framing_says(method: str, answer: bytes, closes: bool) -> None:
    async with model(0.0, answer, closes=closes) as port:
        message = Recorded(method, "/").written("127.0.0.1")
        sending = Sender(Aim("127.0.0.1", port, 64, 2.0), [message], seed=1)
        step = await sending.step(100, 0.5, lambda due, answered: None)
        sending.close()
    assert (step.failed, step.answered) == (0, step.due)
    assert step.longest < 2.0


async def test_an_answer_without_an_end_fails_in_time() -> None:
    async with model(0.0, UNTIL_CLOSE) as port:
        sending = sender(port, timeout=0.3)
        step = await sending.step(50, 0.5, lambda due, answered: None)
        sending.close()
    assert (step.answered, step.failed) == (0, step.due)


async def test_a_backend_that_never_answers_fails_in_time() -> None:
    async with model(3600) as port:
        sending = sender(port, connections=4, timeout=0.3)
        step = await sending.step(50, 0.5, lambda due, answered: None)
        sending.close()
    assert step.failed == step.due == sum(step.failures.values()) > 0
    assert "not answered in time" in step.failures


async def test_nobody_listens() -> None:
    async with model(0.0) as port:
        pass
    step = await sender(port).step(50, 0.3, lambda due, answered: None)
    assert step.failed == step.due > 0
    assert step.failures == {"connection refused": step.due}


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    running = Backend("main")
    yield running
    running.stop()


def configuration(backend: Backend, **route: Any) -> str:
    return json.dumps(
        {
            "backends": {"model": {"url": backend.url}},
            "routes": [{"path": "/v1/rank", "backend": "model", **route}],
        }
    )


def test_from_a_file(backend: Backend, turnout: Turnout, tmp_path: Path) -> None:
    file = tmp_path / "requests"
    file.write_text('{"method": "POST", "path": "/v1/rank", "body": {"x": 1}}\n')
    options = ("--from-file", str(file), "--to-rate", "40", "--start-rate", "20", "--factor", "2")
    ran = turnout("loadtest", backend.url, *options, "--step", "500ms", "--max-p99", "5s", "-o", "json")
    assert ran.status == 0, ran.error
    found = json.loads(ran.out)
    assert [step["rate"] for step in found["steps"]] == [20, 40]
    assert found["capacity"] == 40
    assert sum(step["answered"] for step in found["steps"]) == len(backend.seen)
    assert {seen.body for seen in backend.seen} == {b'{"x":1}'}
    assert all(seen.values("x-turnout-shadow") == ["1"] for seen in backend.seen)


def test_from_live_traffic_and_nothing_is_left_behind(
    backend: Backend, turnout: Turnout, tmp_path: Path
) -> None:
    config = tmp_path / "turnout.yaml"
    config.write_text(configuration(backend, repeatable=True))
    with serving(config, tmp_path / "data") as served:
        stop = threading.Event()

        def users() -> None:
            import httpx

            with httpx.Client(base_url=served.data, trust_env=False) as client:
                number = 0
                while not stop.is_set():
                    number += 1
                    client.post("/v1/rank", json={"user": number}, headers={"x-user-id": f"u{number}"})
                    stop.wait(0.005)

        asking = threading.Thread(target=users)
        asking.start()
        saved = tmp_path / "saved"
        try:
            ran = turnout(
                *("loadtest", "model", "--from-traffic", "/v1/rank", "--count", "20", "--to-rate", "30"),
                *("--start-rate", "30", "--step", "500ms", "--max-p99", "5s", "--save", str(saved)),
                environment={"TURNOUT_URL": served.control},
            )
        finally:
            stop.set()
            asking.join()
        assert ran.status == 0, ran.error
        assert "capacity: 30 requests a second" in ran.out
        lines = [json.loads(line) for line in saved.read_text().splitlines()]
        assert len(lines) == 20
        assert len({line["body"]["user"] for line in lines}) == 20
        assert all(line["headers"]["x-user-id"] == f"u{line['body']['user']}" for line in lines)
        left = turnout("get", "configuration", "-o", "json", environment={"TURNOUT_URL": served.control})
        assert "loadtest" not in left.out


def test_a_lost_race_is_run_again(backend: Backend, tmp_path: Path) -> None:
    """Else what was to be taken out would stay, and be copied to for ever."""
    config = tmp_path / "turnout.yaml"
    config.write_text(configuration(backend))

    class Overtaken(Client):
        """Somebody else is faster, twice."""

        races = 2

        def send(self, method: str, *steps: str, **rest: Any) -> Any:
            if self.races:
                self.races -= 1
                with Client(self.target) as other:
                    name = f"other-{self.races}"
                    change(other, lambda whole: whole["backends"].update({name: {"url": backend.url}}))
            return super().send(method, *steps, **rest)

    with serving(config, tmp_path / "data") as served, Overtaken(target_of(served.control, None)) as client:
        change(client, lambda whole: whole["backends"].update(mine={"url": backend.url}))
        assert {*client.get("configuration").read(dict[str, Any])["backends"]} == {
            *("model", "mine", "other-0", "other-1")
        }


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--to-rate", "inf", "--to-rate"),
        ("--to-rate", "1e9", "--to-rate"),
        ("--start-rate", "11", "--start-rate is 11; allowed: at most --to-rate, 10"),
        ("--step", "3 parsecs", "a number of seconds or text such as"),
    ],
)
def test_rates_and_times_that_cannot_be(
    turnout: Turnout, tmp_path: Path, option: str, value: str, said: str
) -> None:
    file = tmp_path / "requests"
    file.write_text('{"method": "GET", "path": "/"}\n')
    given = {"--to-rate": "10", option: value}
    words = [word for pair in given.items() for word in pair]
    ran = turnout("loadtest", "http://127.0.0.1:1", "--from-file", str(file), *words)
    assert ran.status == 2
    assert said in " ".join(ran.error.split())


def test_what_cannot_be(backend: Backend, turnout: Turnout, tmp_path: Path) -> None:
    ran = turnout("loadtest", backend.url, "--to-rate", "10")
    assert (ran.status, "allowed: --from-file or --from-traffic" in ran.error) == (2, True)
    ran = turnout("loadtest", "ftp://h", "--to-rate", "10", "--from-file", str(tmp_path / "none"))
    assert (ran.status, "allowed: http://HOST:PORT" in ran.error) == (2, True)
    config = tmp_path / "turnout.yaml"
    config.write_text(configuration(backend))
    with serving(config, tmp_path / "data") as served:
        traffic = ("--to-rate", "10", "--from-traffic", "/v1/rank")
        ran = turnout("loadtest", backend.url, *traffic, environment={"TURNOUT_URL": served.control})
        assert ran.status != 0
        assert "repeatable" in ran.error
