"""The container's health check, as a process against real listeners."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.deploy.files import script


class Answer(BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path[1:]))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False)])
def test_only_200_is_healthy(service: str, status: int, healthy: bool) -> None:
    # The proxy is nobody: what calls itself must not go through one.
    given = {"TURNOUT_HEALTH_URL": f"{service}/{status}", "http_proxy": "http://127.0.0.1:9"}
    assert (script("image/healthcheck.py", env=given).returncode == 0) is healthy


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:1/"])
def test_nobody_there_is_said(url: str) -> None:
    done = script("image/healthcheck.py", env={"TURNOUT_HEALTH_URL": url})
    assert done.returncode == 1
    assert (url or "not set") in done.stderr
