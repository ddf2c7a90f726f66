"""Does the control plane end, and plan for others, while code of somebody else's never returns?"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import msgspec
import pytest

from router.control.own_thread import in_own_thread
from router.listening import listen, url_of
from router.options import ControlProcess
from router.processes import Child, start
from router.store.embedded import EmbeddedRedis
from tests.plug_ins import install
from tests.router.control.stage import CONFIGURATION
from tests.router.data.service import until

PLUG_IN = """
from dataclasses import dataclass
from threading import Event
from policies.plan import Plan

@dataclass(frozen=True)
class Parameters:
    spins: bool = False

class Hanging:
    '''Never plans a second time.'''
    kind = 'hanging'
    Parameters = Parameters
    interval = 1.0
    latency_limits = ()

    def __init__(self, allocation, parameters):
        self.allocation, self.parameters = allocation, parameters

    def plan(self, observed, now, rng, progress):
        while observed is not None:
            self.parameters.spins or Event().wait()
        return Plan(self.allocation.salt, self.allocation.weights)
"""
RAMP = {"kind": "split", "ramp": [{"weight": 1, "for": "1s"}, {"weight": 2, "for": "1h"}]}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    install(folder, "hanging", "hanging_policy:Hanging", PLUG_IN)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *sys.path]))


def test_it_plans_for_others_and_ends_by_itself_while_policies_hang(
    redis: EmbeddedRedis, tmp_path: Path
) -> None:
    ranker = CONFIGURATION["experiments"]["ranker"]
    policies: dict[str, dict[str, Any]] = {f"hanging{number}": {"kind": "hanging"} for number in range(4)}
    policies |= {"spinning": {"kind": "hanging", "spins": True}, "ranker": RAMP}
    file = tmp_path / "turnout.yaml"
    experiments = {name: {**ranker, "policy": policy} for name, policy in policies.items()}
    file.write_text(json.dumps({**CONFIGURATION, "experiments": experiments}))
    with listen("127.0.0.1", 0) as listener:
        url = url_of(listener)
        options = ControlProcess(
            socket_fd=listener.fileno(),
            redis_url=redis.url,
            data_dir=str(tmp_path),
            workers=False,
            config_path=str(file),
            key=None,
            log_format="json",
        )
        control = start("control", "router.control", msgspec.json.encode(options), [options.socket_fd])

        def climbed() -> bool:
            found = httpx.get(f"{url}/api/v1/experiments/ranker", timeout=60, trust_env=False)
            return bool(found.json()["epoch"]["number"] == 2)

        try:
            until(lambda: ready(control), "it is ready")
            until(climbed, "the ramp is climbed")
            control.process.send_signal(signal.SIGTERM)
            assert control.process.wait(60) == 0
        finally:
            control.process.kill()
            control.process.wait()
            control.close()


def ready(control: Child) -> bool:
    assert control.process.poll() is None
    try:
        return os.read(control.ready_fd, 1) == b"1"
    except BlockingIOError:
        return False


async def test_it_gives_what_the_job_returned_or_raised() -> None:
    def raises(error: BaseException) -> None:
        raise error

    assert await in_own_thread(lambda: 7, "job") == 7
    with pytest.raises(ZeroDivisionError):
        await in_own_thread(lambda: 1 // 0, "job")
    for error in (StopIteration(), SystemExit(3), KeyboardInterrupt()):
        with pytest.raises(RuntimeError, match=type(error).__name__):
            await in_own_thread(lambda error=error: raises(error), "job")


async def test_an_answer_that_nobody_waits_for_any_more_is_dropped() -> None:
    go, done = Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def job() -> None:
        go.wait()
        loop.call_soon_threadsafe(loop.call_soon, done.set)

    answer = in_own_thread(job, "job")
    answer.cancel()
    go.set()
    await done.wait()
    assert answer.cancelled()
