"""Do a proxy's probes say what is so: of a start, of a worker that is stuck or dead, and of the end?"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.router.data.backend import Backend
from tests.router.data.load import config
from tests.router.data.own_redis import OwnRedis
from tests.router.data.service import Command, Service, free_port, serving, until
from tests.router.pair import backends, redis

__all__ = ["backends", "redis"]

fetch = partial(httpx.get, trust_env=False, timeout=20)


def ask(command: Command | Service, path: str) -> tuple[int, dict[str, Any]]:
    """The answer of the listener that the line "ready:" names."""
    found = re.search(r"^ready: .*metrics (\S+)$", command.log.read_text(), re.M)
    assert found is not None
    return get(f"{found[1]}{path}")


def get(url: str) -> tuple[int, dict[str, Any]]:
    answer = fetch(url)
    return answer.status_code, answer.json()


def test_a_proxy_without_a_state_is_live_and_waits_for_one(
    backends: tuple[Backend, Backend], redis: OwnRedis, tmp_path: Path
) -> None:
    port = free_port()
    options = (
        "--port",
        "0",
        "--workers",
        "2",
        "--metrics-port",
        str(port),
        "--data-dir",
        str(tmp_path / "p"),
    )
    proxy = Command(tmp_path / "proxy.log", "proxy", "--redis-url", redis.url, *options)
    try:
        until(lambda: "waiting for a state to route by: Redis has none" in proxy.said, "it says so")
        assert get(f"http://127.0.0.1:{port}/healthz") == (200, {"status": "live"})
        starting = {"status": "starting", "ready": 0, "workers": 2}
        assert get(f"http://127.0.0.1:{port}/readyz") == (503, starting)
        assert proxy.said.count("waiting for a state") == 1
        redis.kill()
        until(
            lambda: "waiting for a state to route by: Redis does not answer" in proxy.said, "it says so, too"
        )
        redis.start()
        with serving(config(*backends), tmp_path / "control", redis_url=redis.url):
            proxy.until_ready()
            until(lambda: ask(proxy, "/readyz") == (200, {"status": "ready", "workers": 2}), "it is ready")
    finally:
        assert proxy.stop() == 0


def test_a_proxy_that_waits_can_be_stopped(redis: OwnRedis, tmp_path: Path) -> None:
    options = ("--port", "0", "--metrics-port", "0", "--data-dir", str(tmp_path / "p"))
    proxy = Command(tmp_path / "proxy.log", "proxy", "--redis-url", redis.url, *options)
    until(lambda: "waiting for a state" in proxy.said, "it waits")
    assert proxy.stop() == 0
    assert "ready:" not in proxy.said


@pytest.fixture
def service(backends: tuple[Backend, Backend], tmp_path: Path) -> Iterator[Service]:
    """Both planes under one supervisor, with a listener of the workers' own."""
    with serving(config(*backends), tmp_path, 2, "--metrics-port", "0") as service:
        yield service


def test_a_worker_that_is_stuck_is_found_and_replaced(service: Service) -> None:
    assert ask(service, "/healthz") == (200, {"status": "live"})
    victim = service.workers()[0]
    os.kill(victim, signal.SIGSTOP)
    status, told = until(lambda: found if (found := ask(service, "/healthz"))[0] != 200 else None, "found")
    assert (status, told["status"], list(told["workers"].values())[1:]) == (503, "stuck", [])
    assert ask(service, "/readyz")[0] == 503
    until(lambda: victim not in service.workers() and len(service.workers()) == 2, "it is replaced")
    assert re.search(r"^worker \d has been stuck for \d+ s; replacing it$", service.log.read_text(), re.M)
    until(lambda: ask(service, "/readyz") == (200, {"status": "ready", "workers": 2}), "both serve")
    assert ask(service, "/healthz") == (200, {"status": "live"})


def test_a_worker_that_was_late_and_goes_on_is_left_alone(service: Service) -> None:
    victim = service.workers()[0]
    os.kill(victim, signal.SIGSTOP)
    until(lambda: ask(service, "/healthz")[0] == 503, "it is late")
    os.kill(victim, signal.SIGCONT)
    until(lambda: ask(service, "/healthz") == (200, {"status": "live"}), "it goes on")
    assert victim in service.workers()


def test_a_node_is_ready_when_every_worker_is(service: Service) -> None:
    assert ask(service, "/readyz") == (200, {"status": "ready", "workers": 2})
    os.kill(service.workers()[0], signal.SIGKILL)
    until(
        lambda: ask(service, "/readyz") == (503, {"status": "starting", "ready": 1, "workers": 2}),
        "one is gone",
    )
    assert ask(service, "/healthz") == (200, {"status": "live"})
    until(lambda: ask(service, "/readyz")[0] == 200, "its successor serves")


def test_a_listener_that_dies_is_replaced(service: Service) -> None:
    (before,) = service.children("router.node")
    os.kill(before, signal.SIGKILL)
    until(lambda: set(service.children("router.node")) - {before}, "another one is there")
    until(lambda: answers(service, "/readyz") == 200, "it answers")


def answers(service: Service, path: str) -> int | None:
    try:
        return ask(service, path)[0]
    except httpx.HTTPError:
        return None


def test_term_makes_it_unready_at_once_and_serves_on_for_the_delay(
    backends: tuple[Backend, Backend], tmp_path: Path
) -> None:
    options = ("--metrics-port", "0", "--drain-delay", "600")
    with serving(config(*backends), tmp_path, 2, *options) as service:
        service.process.send_signal(signal.SIGTERM)
        until(lambda: ask(service, "/readyz") == (503, {"status": "draining"}), "it is not ready")
        assert ask(service, "/healthz")[0] == 200
        for _ in range(10):
            assert service.request("GET", "/", "X-User-Id: a").status == 200
        # What dies meanwhile is started again, and a new listener knows, too.
        (before,) = service.children("router.node")
        os.kill(before, signal.SIGKILL)
        until(lambda: set(service.children("router.node")) - {before}, "another one is there")
        until(lambda: answers(service, "/readyz") == 503, "it answers")
        assert ask(service, "/readyz") == (503, {"status": "draining"})
        assert "not ready any more; serving on for 600 s" in service.log.read_text()
        # A second signal ends the delay.
        assert service.stop() == 0


def test_metrics_need_a_viewers_token_once_there_are_tokens_also_without_redis(
    backends: tuple[Backend, Backend], redis: OwnRedis, tmp_path: Path
) -> None:
    with serving(config(*backends), tmp_path / "s", 1, shape="apart", redis_url=redis.url) as service:
        assert service.request("GET", "/", "X-User-Id: a").status == 200
        url = re.findall(r"metrics (\S+)$", service.log.read_text(), re.M)[-1]
        until(lambda: "turnout_requests_total{" in fetch(f"{url}/metrics").text, "the request is counted")
        here = fetch(f"{url}/metrics").text
        there = fetch(f"http://127.0.0.1:{service.control_port}/metrics").text
        assert "turnout_workers 1.0" in here
        assert "turnout_experiment_epoch" not in here
        assert "turnout_experiment_epoch" in there
        assert "turnout_workers" not in there

        tokens = f"http://127.0.0.1:{service.control_port}/api/v1/tokens"
        made = httpx.post(tokens, json={"name": "root", "role": "admin"}, trust_env=False).json()
        shown = {"authorization": f"Bearer {made['token']}"}
        assert fetch(f"{url}/metrics").status_code == 401
        assert fetch(f"{url}/metrics", headers=shown).status_code == 200
        assert get(f"{url}/readyz") == (200, {"status": "ready", "workers": 1})
        until(lambda: (service.data / "tokens.json").exists(), "the digests are kept")
        redis.kill()
        assert fetch(f"{url}/metrics").status_code == 401
        assert fetch(f"{url}/metrics", headers=shown).status_code == 200
        assert get(f"{url}/readyz") == (200, {"status": "ready", "workers": 1})
        assert get(f"{url}/nowhere")[0] == 404
        redis.start()
