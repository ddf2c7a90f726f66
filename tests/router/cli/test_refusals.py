"""Is an operator told what to do when there is no router, or something else in its place?"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from .conftest import Turnout
from .serving import Served


class Other(BaseHTTPRequestHandler):
    """Somebody else's web site."""

    def do_GET(self) -> None:
        status = int(self.headers.get("authorization", "Bearer 200").split()[1])
        body = b"<p>hello</p>"
        self.send_response(status)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.close_connection = True  # without an answer

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


COMMANDS = [
    ["get"],
    ["history"],
    ["diff", "1"],
    ["workers"],
    ["report", "ranker"],
    ["weights", "ranker", "a=1"],
    ["start", "ranker"],
    ["stop", "ranker"],
    ["rollback", "1"],
    ["restore"],
    ["token", "list"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nobody_answers(turnout: Turnout, command: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    ran = turnout(*command, environment={"TURNOUT_URL": f"http://127.0.0.1:{port}"})
    assert (ran.status, ran.out) == (1, "")
    assert ran.error.startswith(f"turnout: http://127.0.0.1:{port} does not answer: ")
    assert "is 'turnout serve' running there?" in ran.error
    assert "comes from TURNOUT_URL; allowed: --url, TURNOUT_URL, or a context" in ran.error


def test_nobody_answers_a_file(turnout: Turnout, config: Path) -> None:
    ran = turnout("apply", str(config), "--yes", "--url", "http://127.0.0.1:1")
    assert (ran.status, ran.out) == (1, "")
    assert "comes from --url" in ran.error
    assert "may have been done" not in ran.error


@pytest.mark.parametrize(("status", "code"), [(200, 1), (302, 1), (404, 2), (401, 1), (500, 1)])
def test_something_else_answers(turnout: Turnout, elsewhere: str, status: int, code: int) -> None:
    ran = turnout("get", environment={"TURNOUT_URL": elsewhere, "TURNOUT_TOKEN": str(status)})
    assert (ran.status, ran.out) == (code, "")
    assert f"{elsewhere} answered {status}" in ran.error
    assert "is this the control port of a router?" in ran.error


def test_a_change_that_is_not_answered_may_have_been_made(turnout: Turnout, elsewhere: str) -> None:
    ran = turnout("token", "create", "--name", "a", "--role", "admin", "--url", elsewhere)
    assert (ran.status, ran.out) == (1, "")
    assert "it may have been done before the connection broke; turnout history tells" in ran.error


def test_the_data_port_is_not_the_control_port(turnout: Turnout, shared_router: Served) -> None:
    ran = turnout("get", "--url", shared_router.data)
    assert ran.status == 2
    assert "Traceback" not in ran.error


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1:1", "http://[::1"])
def test_a_url_that_is_none(turnout: Turnout, url: str) -> None:
    ran = turnout("get", "--url", url)
    assert (ran.status, ran.out) == (2, "")
    assert "from --url" in ran.error
    assert "allowed: http://HOST:PORT" in ran.error
