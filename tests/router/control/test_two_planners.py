"""Does planning go on when the leader of two control processes dies, and one that slept change nothing?"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from router.store.embedded import EmbeddedRedis
from tests.router.control.stage import CONFIGURATION
from tests.router.data.service import command_line, descendants, free_port, until

# A step a second, so that there is always a next epoch to open.
RAMP = {"kind": "split", "ramp": [{"weight": 1 + step, "for": "1s"} for step in range(90)]}
RANKER = "/api/v1/experiments/ranker"


class Control:
    """A running `turnout control`."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        folder.mkdir()
        file = folder / "turnout.yaml"
        ranker = {**CONFIGURATION["experiments"]["ranker"], "policy": RAMP}
        file.write_text(json.dumps({**CONFIGURATION, "experiments": {"ranker": ranker}}))
        self.port = free_port()
        self.log = folder / "control.log"
        command = [sys.executable, "-m", "router.cli", "control", "--redis-url", redis_url]
        command += [
            "--config",
            str(file),
            "--control-port",
            str(self.port),
            "--data-dir",
            str(folder / "data"),
        ]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10, trust_env=False)

    def answers(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self.get("/health").status_code == 200
        return False

    def leads(self) -> bool:
        return "\nturnout_planner_leading 1" in self.get("/metrics").text

    def epochs(self) -> list[int]:
        plans: Any = self.get(f"{RANKER}/plans?limit=200").json()["plans"]
        return [each["epoch"] for each in reversed(plans)]

    def family(self) -> list[int]:
        return [self.process.pid, *descendants(self.process.pid)]

    def planner(self) -> int:
        (pid,) = [pid for pid in self.family() if "router.control" in command_line(pid)]
        return pid

    def kill(self) -> None:
        for pid in self.family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Control, Control]]:
    """Two control planes over one Redis, the one that leads first."""
    redis = EmbeddedRedis(tmp_path / "redis")
    redis.start()
    controls = [Control(tmp_path / name, redis.url) for name in ("one", "two")]
    try:
        until(lambda: all(each.answers() for each in controls), "both answer", 30)
        until(lambda: any(each.leads() for each in controls), "one leads")
        controls.sort(key=lambda each: not each.leads())
        yield controls[0], controls[1]
    finally:
        for each in controls:
            each.stop()
        redis.stop()


def test_planning_goes_on_when_the_leader_is_killed(pair: tuple[Control, Control]) -> None:
    leader, other = pair
    until(lambda: len(other.epochs()) >= 3, "the leader plans")
    assert not other.leads()
    leader.kill()
    before = other.epochs()[-1]
    until(lambda: other.epochs()[-1] > before + 1, "planning goes on", 15)
    assert other.leads()
    assert other.epochs() == list(range(1, len(other.epochs()) + 1))


def test_a_leader_that_slept_while_another_led_changes_nothing(pair: tuple[Control, Control]) -> None:
    leader, other = pair
    sleeper = leader.planner()
    until(lambda: len(other.epochs()) >= 3, "the leader plans")
    os.kill(sleeper, signal.SIGSTOP)
    try:
        until(other.leads, "the other one takes over", 15)
        before = other.epochs()[-1]
        until(lambda: other.epochs()[-1] >= before + 2, "the other one plans", 15)
    finally:
        os.kill(sleeper, signal.SIGCONT)
    until(lambda: leader.answers() and not leader.leads(), "it knows that it leads no more")
    seen = other.epochs()[-1]
    until(lambda: other.epochs()[-1] >= seen + 2, "the other one goes on planning", 15)
    assert other.leads()
    assert other.epochs() == list(range(1, len(other.epochs()) + 1))
    versions = other.get("/api/v1/versions?limit=200").json()["versions"]
    opened = [each for each in versions if each["opened"]]
    assert len(opened) == len(other.epochs())
    assert [each["version"] for each in versions] == list(range(versions[0]["version"], 0, -1))
