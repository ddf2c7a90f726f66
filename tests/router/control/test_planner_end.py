"""Does the planner leave nothing behind when it ends?"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from router.control import observation
from tests.router.control.planning import BEGAN, Clock, planner_of
from tests.router.control.stage import CONFIGURATION, applied


async def test_a_plan_that_misses_its_cancellation_ends_with_the_planner(
    redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The Redis client may lose a cancellation; the plan then goes on, while all others have ended."""
    asked: set[str] = set()
    read = observation.read_evidence

    async def deaf(redis: Redis, name: str, *rest: Any, **options: Any) -> Any:
        asked.add(name)
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            if name == "ranker":
                raise
        return await read(redis, name, *rest, **options)

    caplog.set_level(logging.INFO, "turnout.control")
    ranker = {
        **CONFIGURATION["experiments"]["ranker"],
        "policy": {"kind": "canary", "steps": [{"weight": 5}]},
    }
    await applied(
        redis, tmp_path, {**CONFIGURATION, "experiments": {"ranker": ranker, "other": ranker}}, BEGAN
    )
    monkeypatch.setattr(observation, "read_evidence", deaf)
    planner, leadership, _ = planner_of(redis, Clock())
    await leadership.ask()
    keeping = asyncio.create_task(planner.keep())
    while asked != {"ranker", "other"}:
        await asyncio.sleep(0)
    keeping.cancel()
    await asyncio.wait([keeping])
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert "plan_failed" not in caplog.text
