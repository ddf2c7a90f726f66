"""Does an operator's change reach every worker of a running service, and what happens when parts die?"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.router.data.backend import Backend
from tests.router.data.conftest import experiment
from tests.router.data.service import Service, serving, until
from tests.router.pair import backends

__all__ = ["backends"]

RANKER = "/api/v1/experiments/ranker"
WORKERS = 4


@pytest.fixture
def configuration(backends: tuple[Backend, Backend]) -> dict[str, Any]:
    main, challenger = backends
    return {
        "backends": {"main": {"url": main.url}, "challenger": {"url": challenger.url}},
        "routes": [{"path": "/split", "backend": "main", "experiment": "ranker"}],
        "experiments": {"ranker": experiment(expose_variant=True)},
    }


def api(service: Service) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{service.control_port}", trust_env=False, timeout=20)


def weigh(client: httpx.Client, champion: float, challenger: float) -> int:
    body = {"weights": {"champion": champion, "challenger": challenger}}
    answer = client.patch(RANKER, json=body, headers={"if-match": "*"})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["version"])


def versions(client: httpx.Client) -> list[int]:
    return [each["version"] for each in client.get("/api/v1/workers").json()["workers"]]


def variant_of(service: Service) -> str | None:
    return service.request("GET", "/split", "x-user-id: someone").head.value("x-turnout-variant")


def test_a_change_reaches_all_workers_and_no_request_fails(
    configuration: dict[str, Any], tmp_path: Path
) -> None:
    with serving(configuration, tmp_path, WORKERS) as service, api(service) as client:
        end = threading.Event()
        statuses: list[int] = []

        def load() -> None:
            connection = HTTPConnection("127.0.0.1", service.port, timeout=20)
            while not end.is_set():
                connection.request("GET", "/split", headers={"x-user-id": f"user-{len(statuses)}"})
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
            connection.close()

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            until(lambda: versions(client) == [1] * WORKERS, "each worker reports")
            for share in (10, 90, 50):
                version = weigh(client, share, 100 - share)
                until(lambda version=version: versions(client) == [version] * WORKERS, "all follow")
        finally:
            end.set()
            for thread in threads:
                thread.join()
        assert set(statuses) == {200}
        found = client.get("/api/v1/workers").json()["workers"]
        assert {each["pid"] for each in found} == set(service.workers())
        assert {each["behind_versions"] for each in found} == {0}


def test_an_operators_edit_survives_a_restart(configuration: dict[str, Any], tmp_path: Path) -> None:
    with serving(configuration, tmp_path) as service, api(service) as client:
        weigh(client, 0, 1)
        until(lambda: versions(client) == [2], "the worker follows")
        assert variant_of(service) == "challenger"
    with serving(configuration, tmp_path) as service, api(service) as client:
        assert client.get("/health").json()["version"] == 2
        assert variant_of(service) == "challenger"


def test_an_empty_redis_is_told_and_the_snapshot_restored(
    configuration: dict[str, Any], tmp_path: Path
) -> None:
    with serving(configuration, tmp_path, 2) as service, api(service) as client:
        weigh(client, 0, 1)
        until(lambda: versions(client) == [2, 2], "the workers follow")
    shutil.rmtree(tmp_path / "data" / "redis")
    with serving(configuration, tmp_path, 2) as service, api(service) as client:
        health = client.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "state_lost")
        assert variant_of(service) == "challenger"
        for pid in service.workers():
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(service.workers()) == 2, "the workers are replaced")
        until(lambda: versions(client) == [2, 2], "they start from the last snapshot")
        assert variant_of(service) == "challenger"

        assert client.post("/api/v1/restore").json() == {"version": 3}
        until(lambda: versions(client) == [3, 3], "the workers follow")
        assert client.get("/health").json() == {"status": "ok", "version": 3}
        assert variant_of(service) == "challenger"
        weigh(client, 1, 0)
        until(lambda: variant_of(service) == "champion", "changes are possible again")


def test_other_addresses_are_not_bound_without_a_token(configuration: dict[str, Any], tmp_path: Path) -> None:
    options = ("--control-host", "0.0.0.0")
    with (
        pytest.raises(AssertionError, match="there is no API token yet"),
        serving(configuration, tmp_path / "one", 1, *options),
    ):
        pass
    with serving(configuration, tmp_path / "two") as service, api(service) as client:
        made = client.post("/api/v1/tokens", json={"name": "root", "role": "admin"}).json()
    with serving(configuration, tmp_path / "two", 1, *options) as service, api(service) as client:
        assert client.get(RANKER).status_code == 401
        shown = {"authorization": f"Bearer {made['token']}"}
        assert client.get(RANKER, headers=shown).status_code == 200
