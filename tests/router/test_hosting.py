"""Does a hosted application start on its socket, say so, and end without losing a request?"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.hosting import refuse_new_connections
from tests.router.data.client import Connection
from tests.router.data.service import until

# An application that tells what happens to it, and answers when its file is there.
PROGRAM = """
import asyncio, pathlib, socket, sys
import uvicorn
from router.hosting import Host

folder = pathlib.Path(sys.argv[2])

def tell(what):
    with (folder / "told").open("a") as file:
        file.write(what + "\\n")

async def app(scope, receive, send):
    tell("asked " + scope["path"])
    while scope["path"] == "/held" and not (folder / "open").exists():
        await asyncio.sleep(0.01)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})

async def main():
    listener = socket.socket(fileno=int(sys.argv[1]))
    config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=20)
    host = Host(config, ready=lambda: tell("ready"), draining=lambda: tell("draining"))
    await host.serve(sockets=[listener])
    tell("served")

asyncio.run(main())
tell("ended")
"""


class Hosted:
    """The program, on a socket that this process holds, too."""

    def __init__(self, folder: Path, *before: str) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
            self.process = subprocess.Popen(
                [*before, sys.executable, "-c", PROGRAM, str(listener.fileno()), str(folder)],
                cwd=Path(__file__).parents[2],
                pass_fds=[listener.fileno()],
            )
        until(lambda: "ready" in self.told, "it is ready")

    @property
    def told(self) -> list[str]:
        """What happened so far."""
        file = self.folder / "told"
        return file.read_text().split("\n")[:-1] if file.exists() else []


def without_capabilities() -> tuple[str, ...]:
    """What starts a program as a container does that drops them all; nothing for who has none anyway."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--bounding-set", "-all", "--inh-caps", "-all") if setpriv and os.getuid() == 0 else ()


@pytest.fixture(params=["as it is", "without capabilities"])
def hosted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hosted]:
    running = Hosted(tmp_path, *(without_capabilities() if request.param == "without capabilities" else ()))
    yield running
    running.process.kill()
    running.process.wait()


def test_ready_is_said_when_it_serves(hosted: Hosted) -> None:
    with Connection(hosted.port) as connection:
        assert connection.request("GET", "/").body == b"ok"
    assert hosted.told == ["ready", "asked /"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_is_answered(hosted: Hosted, number: signal.Signals) -> None:
    with Connection(hosted.port) as connection:
        connection.send_request("GET", "/held")
        until(lambda: "asked /held" in hosted.told, "it is asked")
        hosted.process.send_signal(number)
        until(lambda: "draining" in hosted.told, "it drains")
        # Any number of further signals changes nothing.
        for _ in range(3):
            hosted.process.send_signal(signal.SIGINT)
            hosted.process.send_signal(signal.SIGTERM)
        (hosted.folder / "open").touch()
        assert connection.response().body == b"ok"
        assert connection.is_closed()
    assert hosted.process.wait(20) == 0
    assert hosted.told == ["ready", "asked /held", "draining", "served", "ended"]


def test_it_takes_no_new_connection_while_it_drains(hosted: Hosted) -> None:
    with Connection(hosted.port) as connection:
        connection.send_request("GET", "/held")
        until(lambda: "asked /held" in hosted.told, "it is asked")
        hosted.process.send_signal(signal.SIGTERM)

        def refused() -> bool:
            try:
                socket.create_connection(("127.0.0.1", hosted.port), timeout=1).close()
            except ConnectionRefusedError:
                return True
            return False

        until(refused, "nobody listens any more")
        (hosted.folder / "open").touch()
        assert connection.response().status == 200


def test_an_idle_one_ends_at_once_and_well(hosted: Hosted) -> None:
    with Connection(hosted.port) as idle:
        assert idle.request("GET", "/").status == 200
        hosted.process.send_signal(signal.SIGTERM)
        assert idle.is_closed()
    assert hosted.process.wait(20) == 0
    assert hosted.told[-3:] == ["draining", "served", "ended"]


def test_listener_that_refuses_new_connections_keeps_those_that_it_has() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as early,
        socket.socket() as late,
    ):
        refuse_new_connections(listener)
        late.settimeout(0.2)
        with pytest.raises(TimeoutError):
            late.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            early.sendall(b"sent after the listener had closed its ears")
            assert accepted.recv(100) == b"sent after the listener had closed its ears"
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
