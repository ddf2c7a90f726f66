"""What goes on while users are there? They send, one looks at the report, and in the end it is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from rich.console import Console

from models.protocol import ModelProtocol
from router.cli.demo.configuration import EXPERIMENT
from router.cli.demo.display import Display
from router.cli.demo.reading import Reading, read_report
from router.cli.demo.users import Load, Question, Users
from router.cli.demo.verdict import Check, counts_agree, judge

_SETTLE = 15.0  # seconds within which the last batch must have been counted
_LOOK = 1.0  # seconds between two looks at the report
_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Addresses:
    """The router's two URLs."""

    data: str
    control: str


@dataclass(frozen=True, slots=True)
class Materials:
    """What the users send, how, and the model version behind each variant."""

    protocol: ModelProtocol
    questions: tuple[Question, ...]
    versions: Mapping[str, str]


async def simulate(
    seconds: float, load: Load, materials: Materials, addresses: Addresses, console: Console
) -> tuple[Check, ...]:
    """Let the users come, show what the report says meanwhile, and judge once all is counted."""
    limits = httpx.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=30)
    data = httpx.AsyncClient(base_url=addresses.data, limits=limits, timeout=30, trust_env=False)
    control = httpx.AsyncClient(base_url=addresses.control, timeout=10, trust_env=False)
    async with data, control:
        users = Users(load, materials.questions, materials.protocol, data)
        start = asyncio.get_running_loop().time()
        with Display(console, seconds) as display:
            reading = await _watch(users, seconds, control, display)
            reading = await _settle(users, materials.versions, control, reading)
            display.update(asyncio.get_running_loop().time() - start, users.tally, reading, last=True)
    return judge(users.tally, reading, materials.versions)


async def _watch(users: Users, seconds: float, control: httpx.AsyncClient, display: Display) -> Reading:
    clock = asyncio.get_running_loop().time
    start, reading = clock(), Reading()
    arrival = asyncio.create_task(users.arrive(seconds))
    try:
        while not arrival.done():
            await asyncio.wait([arrival], timeout=_LOOK)
            reading = await _look(control, reading)
            if not arrival.done():
                display.update(clock() - start, users.tally, reading)
        await arrival
    finally:
        # Waited for, because those on their way still use the client that is closed next.
        arrival.cancel()
        await asyncio.wait([arrival])
    return reading


async def _settle(
    users: Users, versions: Mapping[str, str], control: httpx.AsyncClient, reading: Reading
) -> Reading:
    """The reading in which all is counted, or the last one where that does not come about."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + _SETTLE
    while not counts_agree(users.tally, reading, versions) and clock() < deadline:
        await asyncio.sleep(_POLL)
        reading = await _look(control, reading)
    return reading


async def _look(control: httpx.AsyncClient, before: Reading) -> Reading:
    """The report as it is now, or the last one where there is none to be had."""
    try:
        response = await control.get(f"/api/v1/experiments/{EXPERIMENT}/report")
    except httpx.HTTPError:
        return before
    return read_report(response.json()) if response.status_code == 200 else before
