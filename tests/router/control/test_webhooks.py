"""Are webhooks asked as Flagger asks them, within bounds, and never waited for?"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from policies.plan import Plan
from policies.steering import HookType, Webhook
from router.control import webhooks
from router.control.webhooks import Hooks


class Listener:
    """A real server: it notes what it is sent and answers as it is told; None is no answer at all."""

    def __init__(self) -> None:
        self.statuses: list[int | None] = []
        self.seen: list[dict[str, Any]] = []
        self.url = ""
        self._open: list[asyncio.StreamWriter] = []

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        return server

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(
            int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        self.seen.append(json.loads(await reader.readexactly(size)))
        status = self.statuses.pop(0) if self.statuses else 200
        if status is None:
            return
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 2\r\nlocation: /other\r\n\r\nno" % status)
        await writer.drain()
        writer.close()

    def close(self) -> None:
        for writer in self._open:
            writer.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    server = await listener.serve()
    yield listener
    listener.close()
    server.close()


@pytest.fixture
async def hooks(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hooks]:
    monkeypatch.setattr(webhooks, "_PAUSE_SECONDS", 0.01)
    hooks = Hooks()
    yield hooks
    await hooks.close()


def hook(kind: HookType, url: str, **given: Any) -> Webhook:
    return Webhook("keeper", kind, url, **given)


def asking(*asks: str) -> Plan:
    return Plan("s", {"a": 1.0}, why="step 2", findings={"phase": "Waiting", "asks": list(asks)})


async def answered(hooks: Hooks, wanted: dict[str, bool]) -> None:
    async with asyncio.timeout(10):
        while hooks.answers("ranker") != wanted:
            await asyncio.sleep(0.005)


async def test_a_yes_and_what_was_sent(hooks: Hooks, listener: Listener) -> None:
    given = hook("confirm-rollout", listener.url, metadata={"team": "search"})
    hooks.follow("ranker", [given], asking("confirm-rollout:1"))
    assert hooks.answers("ranker") == {}
    await answered(hooks, {"confirm-rollout:1": True})
    assert listener.seen == [
        {"name": "ranker", "namespace": "turnout", "phase": "Waiting", "metadata": {"team": "search"}}
    ]
    hooks.follow("ranker", [given], asking("confirm-rollout:1"))
    hooks.follow("ranker", [given], asking())
    assert hooks.answers("ranker") == {}


@pytest.mark.parametrize("status", [302, 403, 404])
async def test_anything_but_2xx_is_a_no_at_once(hooks: Hooks, listener: Listener, status: int) -> None:
    listener.statuses = [status]
    hooks.follow("ranker", [hook("rollout", listener.url)], asking("rollout:1"))
    await answered(hooks, {"rollout:1": False})
    assert len(listener.seen) == 1


async def test_failures_are_tried_again_so_often_and_said_once(
    hooks: Hooks, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "turnout.control")
    listener.statuses = [500, 503, 200]
    hooks.follow("ranker", [hook("pre-rollout", listener.url, retries=2)], asking("pre-rollout:1"))
    await answered(hooks, {"pre-rollout:1": True})
    listener.statuses = [500, 500]
    hooks.follow("ranker", [hook("rollout", listener.url, retries=1)], asking("rollout:1"))
    await answered(hooks, {"rollout:1": False})
    assert len(listener.seen) == 5
    said = [line for line in caplog.messages if line.startswith("webhook_failed")]
    assert len(said) == 1
    assert 'detail="status 500"' in said[0]


async def test_one_that_never_answers_costs_its_time_and_nobody_elses(
    hooks: Hooks, listener: Listener
) -> None:
    silent = Listener()
    silent.statuses = [None] * 9
    server = await silent.serve()
    slow = hook("rollout", silent.url, timeout=timedelta(milliseconds=300), retries=0)
    for number in range(8):
        hooks.follow(f"other-{number}", [slow], asking("rollout:1"))
    hooks.follow("ranker", [hook("rollout", listener.url)], asking("rollout:1"))
    await answered(hooks, {"rollout:1": True})
    assert hooks.answers("other-0") == {}
    async with asyncio.timeout(10):
        while hooks.answers("other-7") != {"rollout:1": False}:
            await asyncio.sleep(0.005)
    silent.close()
    server.close()


async def test_all_keepers_of_a_gate_and_one_to_roll_back(hooks: Hooks, listener: Listener) -> None:
    nobody = "http://127.0.0.1:1/"
    cases: tuple[tuple[HookType, bool], ...] = (("confirm-promotion", False), ("rollback", True))
    for kind, wanted in cases:
        both = [hook(kind, nobody, retries=0), hook(kind, listener.url)]
        hooks.follow("ranker", both, asking(f"{kind}:1"))
        await answered(hooks, {f"{kind}:1": wanted})


async def test_events_are_told(hooks: Hooks, listener: Listener) -> None:
    hooks.announce("ranker", [hook("event", listener.url)], asking(), 1_700_000_000.5)
    async with asyncio.timeout(10):
        while not listener.seen:
            await asyncio.sleep(0.005)
    assert listener.seen[0]["metadata"] == {
        "eventMessage": "step 2",
        "eventType": "Normal",
        "timestamp": "1700000000500",
    }
