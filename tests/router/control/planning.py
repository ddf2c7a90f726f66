"""A planner over a real Redis, and seconds that a test lets pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from router.control.leadership import Leadership
from router.control.planner import Planner
from router.control.planning_book import PlanningBook
from router.control.webhooks import Hooks
from router.state import State
from router.store import states
from tests.router.control.stage import CONFIGURATION, applied

BEGAN = 1_700_000_000.0


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> float:
        return self.now


def planner_of(redis: Redis, clock: Clock, ttl: float = 60) -> tuple[Planner, Leadership, PlanningBook]:
    leadership, book = Leadership(redis, ttl), PlanningBook()
    return Planner(redis, leadership, book, Hooks(), clock), leadership, book


async def begun(redis: Redis, data_dir: Path, policy: dict[str, Any], **experiment: Any) -> State:
    other = CONFIGURATION["experiments"]["ranker"]
    experiments = {"ranker": {**other, "policy": policy, **experiment}, "still": other}
    state = await applied(redis, data_dir, {**CONFIGURATION, "experiments": experiments}, BEGAN)
    assert state is not None
    return state


async def state_of(redis: Redis) -> State:
    state = await states.read(redis)
    assert state is not None
    return state
