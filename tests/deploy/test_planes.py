"""The planes as the deployments start them: the same commands, on free ports, become ready and end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any

import httpx
import pytest

from router.config_file import load
from router.store.embedded import EmbeddedRedis
from tests.deploy.files import DEPLOY, pod_specs

COMMAND = [sys.executable, "-m", "router.cli"]
OVERLAY = DEPLOY / "kubernetes" / "overlays" / "dev"


def container(plane: str) -> dict[str, Any]:
    (found,) = pod_specs("dev")[f"turnout-{plane}"]["containers"]
    return dict(found)


def command_of(plane: str, here: Mapping[str, str]) -> list[str]:
    """The deployment's command; ``here``: what is different on this machine, by option."""
    words = []
    for word in container(plane)["args"]:
        name = word.partition("=")[0]
        words.append(f"{name}={here[name]}" if name in here else word)
    return [*COMMAND, *words]


@contextmanager
def started(command: list[str], environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The URLs that its "ready:" line names, by port's name, until the end of the block."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
    with subprocess.Popen(
        command, env={**given, **environment}, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if line.startswith("ready: "))
            words = line.split()[1:]
            yield {name: url for name, url in pairwise(words) if url.startswith("http")}
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=90)
            assert process.returncode == 0


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    home = tmp_path_factory.mktemp("planes")
    redis = EmbeddedRedis(home / "redis")
    redis.start()
    environment = {"TURNOUT_REDIS": redis.url, "HOME": str(home)}
    # An address that others reach needs a token first, as in a cluster; here a loopback has to do.
    control = {"--control-host": "127.0.0.1", "--control-port": "0", "--data-dir": str(home / "control")}
    control["--config"] = str(OVERLAY / "turnout.yaml")
    proxy = {"--host": "127.0.0.1", "--port": "0", "--metrics-host": "127.0.0.1", "--metrics-port": "0"}
    proxy |= {"--data-dir": str(home / "proxy"), "--drain-delay": "0"}
    try:
        with ExitStack() as held:
            yield {
                "control": held.enter_context(started(command_of("control", control), environment)),
                "proxy": held.enter_context(started(command_of("proxy", proxy), environment)),
            }
    finally:
        redis.stop()


@pytest.mark.parametrize(("plane", "port"), [("proxy", "metrics"), ("control", "control")])
def test_every_probe_is_answered(planes: dict[str, dict[str, str]], plane: str, port: str) -> None:
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container(plane)[probe]["httpGet"]
        assert asked["port"] == port
        answer = httpx.get(planes[plane][port] + asked["path"], trust_env=False, timeout=30)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("plane", "port"), [("proxy", "metrics"), ("control", "control")])
def test_what_is_scraped_is_there(planes: dict[str, dict[str, str]], plane: str, port: str) -> None:
    page = httpx.get(f"{planes[plane][port]}/metrics", trust_env=False, timeout=30).text
    assert "turnout_build_info" in page


def test_the_data_port_routes_by_the_configuration(planes: dict[str, dict[str, str]]) -> None:
    settings = load(OVERLAY / "turnout.yaml")
    answer = httpx.get(planes["proxy"]["data"] + settings.routes[0].path, trust_env=False, timeout=30)
    # The models are in the cluster, so that it is the router that answers, and for a route that it knows.
    assert answer.headers["x-turnout-error"] in ("connect-failed", "connect-timeout")
