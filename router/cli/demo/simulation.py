"""What goes on while users are there? They send, one looks how it stands, and in the end it is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from rich.console import Console

from models.protocol import ModelProtocol
from router.cli.demo.checks import Check
from router.cli.demo.display import Display
from router.cli.demo.scenario import Reading, Scenario
from router.cli.demo.users import Load, Question, Users

_SETTLE = 15.0  # seconds within which the last batch must have been counted
_LOOK = 1.0  # seconds between two looks
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


@dataclass(frozen=True, slots=True)
class Ending:
    """What was found, in lines, and the promises."""

    found: tuple[str, ...]
    checks: tuple[Check, ...]


async def simulate(
    scenario: Scenario[Reading],
    seconds: float,
    load: Load,
    materials: Materials,
    addresses: Addresses,
    console: Console,
) -> Ending:
    """Let the users come, show how it stands meanwhile, and judge once all is counted."""
    limits = httpx.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=30)
    data = httpx.AsyncClient(base_url=addresses.data, limits=limits, timeout=30, trust_env=False)
    control = httpx.AsyncClient(base_url=addresses.control, timeout=10, trust_env=False)
    async with data, control:
        users = Users(
            load,
            materials.questions,
            materials.protocol,
            data,
            models_may_fail=scenario.models_may_fail,
        )
        start = asyncio.get_running_loop().time()
        with Display(console, seconds, scenario) as display:
            reading = await _watch(scenario, users, seconds, control, display)
            reading = await _settle(scenario, users, materials.versions, control, reading)
            reading = await _conclude(scenario, control, reading)
            display.update(asyncio.get_running_loop().time() - start, users.tally, reading, last=True)
    return Ending(
        tuple(scenario.found(users.tally, reading)),
        scenario.judge(users.tally, reading, materials.versions),
    )


async def _watch(
    scenario: Scenario[Reading],
    users: Users,
    seconds: float,
    control: httpx.AsyncClient,
    display: Display[Reading],
) -> Reading:
    clock = asyncio.get_running_loop().time
    start, reading = clock(), scenario.blank()
    arrival = asyncio.create_task(users.arrive(seconds))
    try:
        while not arrival.done():
            await asyncio.wait([arrival], timeout=_LOOK)
            reading = await _look(scenario, control, reading)
            if scenario.over(reading):
                users.leave()
            if not arrival.done():
                display.update(clock() - start, users.tally, reading)
        await arrival
    finally:
        # Waited for, because those on their way still use the client that is closed next.
        arrival.cancel()
        await asyncio.wait([arrival])
    return reading


async def _settle(
    scenario: Scenario[Reading],
    users: Users,
    versions: Mapping[str, str],
    control: httpx.AsyncClient,
    reading: Reading,
) -> Reading:
    """The reading in which all is counted, or the last one where that does not come about."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + _SETTLE
    while not scenario.settled(users.tally, reading, versions) and clock() < deadline:
        await asyncio.sleep(_POLL)
        reading = await _look(scenario, control, reading)
    return reading


async def _look(scenario: Scenario[Reading], control: httpx.AsyncClient, before: Reading) -> Reading:
    """How it stands now, or how it stood where that is not to be had."""
    try:
        return await scenario.look(control, before)
    except httpx.HTTPError:
        return before


async def _conclude(scenario: Scenario[Reading], control: httpx.AsyncClient, last: Reading) -> Reading:
    try:
        return await scenario.conclude(control, last)
    except httpx.HTTPError:
        return last
