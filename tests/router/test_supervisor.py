"""Do the planes, each under a supervisor of its own, do without each other and agree all the same?"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.router.data.backend import Backend
from tests.router.data.client import Connection
from tests.router.data.load import config, load
from tests.router.data.own_redis import OwnRedis
from tests.router.data.service import Command, Service, free_port, serving, until
from tests.router.pair import backends, redis

__all__ = ["backends", "redis"]

RANKER = "/api/v1/experiments/ranker"

fetch = partial(httpx.get, trust_env=False, timeout=20)


@pytest.fixture
def apart(backends: tuple[Backend, Backend], redis: OwnRedis, tmp_path: Path) -> Iterator[Service]:
    """One control plane and one proxy with two workers."""
    with serving(config(*backends), tmp_path / "s", 2, shape="apart", redis_url=redis.url) as service:
        yield service


def control_of(folder: Path, redis: OwnRedis, port: int, *options: str) -> Command:
    """A control plane of its own, started and perhaps not ready."""
    given = ("--redis-url", redis.url, "--control-port", str(port), "--data-dir", str(folder / "control"))
    return Command(folder / "control.log", "control", *given, *options)


def proxy_of(folder: Path, redis: OwnRedis, port: int, *options: str) -> Command:
    """A proxy of its own."""
    given = ("--redis-url", redis.url, "--port", str(port), "--workers", "1", "--metrics-port", "0")
    return Command(folder / "proxy.log", "proxy", *given, "--data-dir", str(folder / "proxy"), *options)


def weigh(port: int, **weights: float) -> int:
    """Set the weights; the new version."""
    answer = httpx.patch(
        f"http://127.0.0.1:{port}{RANKER}",
        json={"weights": weights},
        headers={"if-match": "*"},
        timeout=20,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    return int(answer.json()["version"])


def backend_of(port: int, unit: str = "someone") -> str:
    """Which backend answers a unit."""
    with Connection(port) as connection:
        return str(connection.request("GET", "/", f"X-User-Id: {unit}").json()["backend"])


def test_a_proxy_goes_on_while_the_control_plane_is_gone(
    apart: Service, redis: OwnRedis, tmp_path: Path
) -> None:
    with load(apart) as running:
        running.reach(200)
        apart.commands[0].kill()
        running.reach(400)
        with control_of(tmp_path, redis, apart.control_port).until_ready():
            version = weigh(apart.control_port, champion=0, challenger=1)
            until(lambda: backend_of(apart.port) == "challenger", f"version {version} reaches the proxy")
        running.reach(200)
    assert (running.failures, set(running.statuses)) == ([], {200})


def test_a_proxy_that_starts_while_redis_is_away_routes_by_its_last_snapshot(
    apart: Service, redis: OwnRedis, tmp_path: Path
) -> None:
    folder, port = tmp_path / "second", free_port()
    folder.mkdir()
    weigh(apart.control_port, champion=0, challenger=1)
    assert proxy_of(folder, redis, port).until_ready().stop() == 0
    redis.kill()
    proxy = proxy_of(folder, redis, port).until_ready()
    try:
        assert backend_of(port) == "challenger"
        assert "starting from the last snapshot, version 2" in proxy.said
        redis.start()
        weigh(apart.control_port, champion=1, challenger=0)
        until(lambda: backend_of(port) == "main", "it follows")
    finally:
        assert proxy.stop() == 0


def test_two_proxies_follow_one_change_and_are_counted_together(
    apart: Service, redis: OwnRedis, tmp_path: Path
) -> None:
    folder, port = tmp_path / "second", free_port()
    folder.mkdir()
    with proxy_of(folder, redis, port).until_ready():
        for number in range(200):
            # The same unit gets the same variant, whichever proxy it asks.
            assert backend_of(port, f"u{number}") == backend_of(apart.port, f"u{number}")
        until(lambda: requests_in(apart) == 400, "both proxies' requests are in one report")
        version = weigh(apart.control_port, champion=0, challenger=1)
        until(lambda: versions(apart) == [version] * 3, "every worker of both runs it")
        assert (backend_of(port), backend_of(apart.port)) == ("challenger", "challenger")
    until(lambda: len(versions(apart)) == 2, "who ended is listed no more")


def versions(service: Service) -> list[int]:
    return [each["version"] for each in service.control("/api/v1/workers")["workers"]]


def requests_in(service: Service) -> int:
    return sum(each["requests"] for each in service.control(f"{RANKER}/report")["variants"])


def test_a_data_directory_has_one_proxy(apart: Service, redis: OwnRedis, tmp_path: Path) -> None:
    options = ("--redis-url", redis.url, "--port", "0", "--metrics-port", "0", "--data-dir", str(apart.data))
    second = Command(tmp_path / "second.log", "proxy", *options)
    assert second.process.wait(60) == 1
    assert "another router's workers use" in second.said


def test_without_a_file_the_control_plane_serves_the_state_that_there_is(
    backends: tuple[Backend, Backend], redis: OwnRedis, tmp_path: Path
) -> None:
    port = free_port()
    with control_of(tmp_path, redis, port).until_ready() as control:
        until(lambda: readyz(port) == (503, {"status": "no_state"}), "it is not ready")
        until(lambda: "no_state" in control.said, "it says so")
        assert "state_lost" not in control.said
    file = tmp_path / "turnout.yaml"
    file.write_text(json.dumps(config(*backends)))
    with control_of(tmp_path, redis, port, "--config", str(file)).until_ready():
        assert weigh(port, champion=0, challenger=1) == 2
    with control_of(tmp_path, redis, port).until_ready():
        until(lambda: readyz(port) == (200, {"status": "ready", "version": 2}), "it is ready")


def test_a_control_plane_without_redis_is_live_and_applies_its_file_later(
    backends: tuple[Backend, Backend], redis: OwnRedis, tmp_path: Path
) -> None:
    file, port = tmp_path / "turnout.yaml", free_port()
    file.write_text(json.dumps(config(*backends)))
    redis.kill()
    with control_of(tmp_path, redis, port, "--config", str(file)) as control:
        until(lambda: "redis_away" in control.said, "it says so")
        assert fetch(f"http://127.0.0.1:{port}/healthz").json() == {"status": "live"}
        assert readyz(port) == (503, {"status": "redis_away"})
        assert not control.ready
        redis.start()
        control.until_ready()
        assert readyz(port) == (200, {"status": "ready", "version": 1})


def readyz(port: int) -> tuple[int, dict[str, object]]:
    answer = fetch(f"http://127.0.0.1:{port}/readyz")
    return answer.status_code, answer.json()


def test_other_addresses_are_not_bound_without_a_token(
    backends: tuple[Backend, Backend], redis: OwnRedis, tmp_path: Path
) -> None:
    file, port = tmp_path / "turnout.yaml", free_port()
    file.write_text(json.dumps(config(*backends)))
    wide = ("--config", str(file), "--control-host", "0.0.0.0")
    refused = control_of(tmp_path, redis, port, *wide)
    assert refused.process.wait(60) == 2
    assert re.search("--control-host is 0.0.0.0.*there is no API token yet", refused.said)

    token = Command(
        tmp_path / "token", "token", "create", "--name", "root", "--role", "admin", "--redis", redis.url
    )
    assert token.process.wait(60) == 0
    with control_of(tmp_path, redis, port, *wide).until_ready():
        url = f"http://127.0.0.1:{port}{RANKER}"
        assert fetch(url).status_code == 401
        (secret,) = re.findall(r"turnout_root_\w+", token.said)
        shown = {"authorization": f"Bearer {secret}"}
        assert fetch(url, headers=shown).status_code == 200
        assert readyz(port)[0] == 200


def test_a_second_signal_while_it_ends_changes_nothing(apart: Service) -> None:
    for command in reversed(apart.commands):
        for _ in range(3):
            command.process.send_signal(signal.SIGTERM)
        assert command.process.wait(60) == 0


def test_what_a_process_is_told_is_in_no_command_line(apart: Service, redis: OwnRedis) -> None:
    """A Redis URL may hold a password, and the control process is told the key that signs."""
    assert len(apart.children("router.")) == 4
    assert apart.children(redis.url) == []
