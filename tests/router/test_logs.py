"""Is the log what a collector can read, and is a request in it only where that was asked for?"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from router.logs import JsonLines
from tests.router.data.backend import Backend
from tests.router.data.conftest import experiment
from tests.router.data.service import Service, serving, until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def backend() -> Any:
    backend = Backend("main")
    yield backend
    backend.stop()


def config(backend: Backend) -> dict[str, Any]:
    return {
        "backends": {"main": {"url": backend.url}, "challenger": {"url": backend.url}},
        "routes": [{"path": "/split", "backend": "main", "experiment": "ranker"}],
        "experiments": {"ranker": experiment()},
    }


def lines(service: Service) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.log.read_text().splitlines()]


def lines_of(service: Service, event: str) -> list[dict[str, Any]]:
    return [line for line in lines(service) if line.get("event") == event]


def test_every_line_is_an_object_and_every_request_has_one(backend: Backend, tmp_path: Path) -> None:
    with serving(config(backend), tmp_path, 1, "--log-format", "json", "--access-log") as service:
        answer = service.request("GET", "/split/x?secret=1", "X-User-Id: u", "X-Request-Id: mine")
        service.request("GET", "/nowhere")
        service.request("GET", "/_turnout/health")
        with service.connect() as connection:
            connection.send(b"nonsense\r\n\r\n")
            assert connection.response("GET").status == 400
        until(lambda: len(lines_of(service, "request")) == 4, "all requests are in the log")
        split, nowhere, health, nonsense = lines_of(service, "request")
        assert (split["method"], split["path"], split["status"]) == ("GET", "/split/x", answer.status)
        assert (split["experiment"], split["request_id"], split["peer"]) == ("ranker", "mine", "127.0.0.1")
        assert 0 < split["backend_seconds"] < split["seconds"]
        assert (nowhere["path"], nowhere["status"]) == ("/nowhere", 404)
        assert (health["path"], health["status"], nonsense["status"]) == ("/_turnout/health", 200, 400)
        assert "secret" not in service.log.read_text()

        url = f"http://127.0.0.1:{service.control_port}/api/v1/experiments/ranker"
        weights = {"champion": 1, "challenger": 3}
        edited = httpx.patch(url, json={"weights": weights}, headers={"if-match": "*"}, trust_env=False)
        assert edited.status_code == 200, edited.text
        (following,) = until(lambda: lines_of(service, "in_force"), "the worker said so")
        assert (following["version"], following["message"]) == (2, "version 2 is in force")
        assert following["logger"] == "turnout.data"

        (worker,) = service.workers()
        os.kill(worker, signal.SIGKILL)
        ended = until(lambda: lines_of(service, "process_ended"), "said")
        assert [(line["process"], line["status"], line["level"]) for line in ended] == [
            ("worker 1", -9, "warning")
        ]
        (ready,) = lines_of(service, "ready")
        assert (ready["data"], ready["workers"]) == (f"http://127.0.0.1:{service.port}", 1)
        assert ready["message"].startswith("ready: data http://")
        first, _ = lines_of(service, "committed")
        assert first["who"] == "config file"
        until(lambda: len(service.workers()) == 1, "there is a new worker")
    every = lines(service)
    assert [line["message"] for line in every if line["event"] is None] == []
    assert all(list(line)[:5] == ["time", "level", "logger", "event", "message"] for line in every)
    assert {"turnout.supervisor", "turnout.control", "turnout.access"} <= {line["logger"] for line in every}


def test_no_request_is_in_the_log_by_itself(backend: Backend, tmp_path: Path) -> None:
    with serving(config(backend), tmp_path, 1) as service:
        before = service.log.read_text()
        for _ in range(20):
            service.request("GET", "/split", "X-User-Id: u")
        service.request("GET", "/nowhere")
        assert service.log.read_text() == before


def test_a_line_has_the_exception_and_whatever_it_is_about() -> None:
    try:
        raise ValueError("why")
    except ValueError as error:
        about = {"event": "broke", "about": {"where": Path("a"), "text": "two\nlines", "level": 3}}
        record = logging.getLogger("x").makeRecord(
            "x", logging.ERROR, "f", 1, "%s", ("a",), (ValueError, error, error.__traceback__), extra=about
        )
    line = json.loads(JsonLines().format(record))
    assert (line["event"], line["where"], line["text"], line["level"]) == (
        "broke",
        "a",
        "two\nlines",
        "error",
    )
    assert "ValueError: why" in line["exception"]


FALLING = """
import asyncio, sys, threading, warnings
from router.logs import configure

configure("json")
warnings.warn("two\\nlines")
thread = threading.Thread(target=lambda: 1 // 0, name="worker bee")
thread.start()
thread.join()

async def main():
    asyncio.get_running_loop().call_soon(lambda: {}["nothing"])
    await asyncio.sleep(0)
    await asyncio.sleep(0)

asyncio.run(main())
raise ArithmeticError("the end")
"""


def test_what_nobody_caught_is_one_object_a_line_too() -> None:
    ran = subprocess.run([sys.executable, "-c", FALLING], capture_output=True, text=True, cwd=ROOT)
    assert (ran.returncode, ran.stdout) == (1, "")
    warning, thread, loop, end = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [line["level"] for line in (warning, thread, loop, end)] == [
        "warning",
        "error",
        "error",
        "critical",
    ]
    assert [line["event"] for line in (warning, thread, end)] == [None, "thread_ended", "process_ends"]
    assert warning["logger"] == "py.warnings"
    assert "two\nlines" in warning["message"]
    assert "thread worker bee ended: ZeroDivisionError" in thread["message"]
    assert "KeyError: 'nothing'" in loop["exception"]
    assert "ArithmeticError: the end" in end["exception"]
    keys = ["time", "level", "logger", "event", "message"]
    assert list(warning) == keys
    assert all(list(line) == [*keys, "exception"] for line in (thread, loop, end))


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_node_that_cannot_start_says_so_in_the_form_that_was_asked_for(form: str, tmp_path: Path) -> None:
    file = tmp_path / "turnout.yaml"
    file.write_text("backends: []\nroutes: no\n")
    command = [sys.executable, "-m", "router.cli", "serve", "--log-format", form, "--config", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (ran.returncode, ran.stdout) == (2, "")
    said = ran.stderr.splitlines()
    if form == "json":
        (line,) = map(json.loads, said)
        assert (line["event"], line["level"], line["logger"]) == (
            "not_started",
            "error",
            "turnout.supervisor",
        )
        said = line["message"].splitlines()
    assert [f"{file}:{number}:" in line for number, line in enumerate(said, start=1)] == [True, True]
