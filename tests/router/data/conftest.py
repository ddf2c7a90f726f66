"""Real backends and a real service for the data plane's tests; started once where tests can share them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.router.data.backend import Backend
from tests.router.data.own_redis import OwnRedis
from tests.router.data.service import SHAPES, Service, Shape, serving


@dataclass(frozen=True, slots=True)
class Stage:
    """A service with one worker, and the backends before which it stands."""

    service: Service
    main: Backend
    challenger: Backend

    @property
    def worker(self) -> int:
        """The worker's process id."""
        (pid,) = self.service.workers()
        return pid


def experiment(**changes: Any) -> dict[str, Any]:
    """An experiment over the backends ``main`` and ``challenger``, half and half by x-user-id."""
    base: dict[str, Any] = {
        "unit": [{"header": "x-user-id"}],
        "variants": {
            "champion": {"backend": "main", "weight": 50},
            "challenger": {"backend": "challenger", "weight": 50},
        },
        "control": "champion",
        "policy": {"kind": "split"},
        "metrics": [{"name": "correct", "kind": "binary"}],
    }
    return base | changes


@pytest.fixture(params=["little traffic", "much traffic"])
def traffic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With much traffic copies start behind their requests, else behind the clients' answers."""
    if request.param == "much traffic":
        monkeypatch.setattr("router.data.shadow_starts.MUCH", 0)


@pytest.fixture(scope="session")
def main_backend() -> Iterator[Backend]:
    backend = Backend("main")
    yield backend
    backend.stop()


@pytest.fixture(scope="session")
def challenger_backend() -> Iterator[Backend]:
    backend = Backend("challenger")
    yield backend
    backend.stop()


@pytest.fixture
def candidate() -> Iterator[Backend]:
    """A backend for copies, of one test's own."""
    backend = Backend("candidate")
    yield backend
    backend.stop()


@pytest.fixture(scope="session")
def stage(
    main_backend: Backend, challenger_backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """The service with default limits: ``/`` goes to ``main``, ``/split`` is an experiment over both."""
    config = {
        "backends": {"main": {"url": main_backend.url}, "challenger": {"url": challenger_backend.url}},
        "routes": [
            {"path": "/", "backend": "main"},
            {"path": "/split", "backend": "main", "experiment": "ranker"},
            {"path": "/shown", "backend": "main", "experiment": "shown"},
        ],
        "experiments": {"ranker": experiment(), "shown": experiment(expose_variant=True)},
    }
    with serving(config, tmp_path_factory.mktemp("stage")) as service:
        yield Stage(service, main_backend, challenger_backend)


@pytest.fixture(scope="session")
def strict(main_backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with small limits and short times."""
    config = {
        "backends": {"main": {"url": main_backend.url}},
        "routes": [{"path": "/", "backend": "main"}],
        "limits": {
            "header_bytes": "4KiB",
            "headers": 20,
            "url_bytes": "1KiB",
            "body_bytes": "64KiB",
            "header_timeout": "500ms",
            "body_timeout": "500ms",
            "idle_timeout": "1s",
            "pipelined": 8,
        },
    }
    with serving(config, tmp_path_factory.mktemp("strict")) as service:
        yield service


@pytest.fixture(scope="session")
def brief(main_backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with default sizes that ends every connection on which nothing happens."""
    config = {
        "backends": {"main": {"url": main_backend.url}},
        "routes": [{"path": "/", "backend": "main"}],
        "limits": {"header_timeout": "400ms", "body_timeout": "400ms", "idle_timeout": "400ms"},
    }
    with serving(config, tmp_path_factory.mktemp("brief")) as service:
        yield service


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Shape:
    """Both planes under one supervisor, or each under one of its own."""
    shape: Shape = request.param
    return shape


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """A Redis that is not the service's."""
    server = OwnRedis(tmp_path)
    yield server
    server.stop()
