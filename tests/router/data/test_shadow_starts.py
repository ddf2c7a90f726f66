"""Is all traffic seen by which copies start, and is nothing kept once they have?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from router.data.exchange import Exchange
from router.data.shadow_starts import LONGEST
from tests.router.data.backend import Backend
from tests.router.data.inprocess import eventually
from tests.router.data.shadow_stage import configured, mirrored, staged


async def test_every_request_is_seen_whole_in_pieces_or_waiting(
    tmp_path: Path, main_backend: Backend, candidate: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = mirrored(main_backend, candidate)
    config["backends"]["main"]["max_connections"] = 1
    async with configured(tmp_path, config) as stage:
        starts = stage.running.plane.shadows.starts
        # Nobody asks, and so the count goes on.
        monkeypatch.setattr(starts, "sweep", lambda: None)
        before = starts.recent
        client, other = await stage.connect(), await stage.connect()
        await client.request("/")
        assert starts.recent == before + 1
        heads = len(main_backend.heads)
        client.writer.write(b"POST /?do=mirror HTTP/1.1\r\nhost: m\r\ncontent-length: 4\r\n\r\n01")
        await eventually(lambda: len(main_backend.heads) > heads)
        assert starts.recent == before + 2
        other.send("GET", "/")
        await eventually(lambda: stage.running.pool("main").waiting == 1)
        assert starts.recent == before + 3
        client.writer.write(b"23")
        assert (await client.answer())[2] == b"0123"
        assert (await other.answer())[0] == 200
        await stage.settled(3)
        assert starts.recent == before + 3


@pytest.mark.usefixtures("traffic")
async def test_of_an_answer_that_is_not_compared_nothing_is_kept(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    async with staged(tmp_path, main_backend, candidate, compare={"share": 0.0}) as stage:
        client = await stage.connect()
        client.send("GET", "/?do=events&gate=kept")
        main_backend.open("kept0")
        await client.reader.readuntil(b"data: event 0\n\n")
        await eventually(lambda: stage.sent == 1)
        (exchange,) = [each.current for each in stage.running.plane.clients]
        assert type(exchange) is Exchange
        assert not hasattr(exchange, "copied")
        for number in range(3):
            main_backend.open(f"kept{number}")
            candidate.open(f"kept{number}")
        await client.reader.readuntil(b"\r\n0\r\n\r\n")
        await stage.settled(1)
        main_backend.close("kept0")
        main_backend.close("kept1")
        main_backend.close("kept2")


async def test_no_copy_waits_for_longer_than_that_however_slow_its_route_was(
    tmp_path: Path, main_backend: Backend, candidate: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(tmp_path, main_backend, candidate) as stage:
        plane, waits = stage.running.plane, list[float]()
        (mirror,) = {entry.mirror for entry in plane.snapshot.prefixes.values() if entry.mirror}
        for _ in range(100):
            mirror._pace.learn(60.0)
        later = plane.call_later

        def noted(delay: float, callback: Callable[[], object]) -> object:
            waits.append(delay)
            return later(delay, callback)

        monkeypatch.setattr(plane, "call_later", noted)
        client = await stage.connect()
        await client.request("/")
        await stage.settled(1)
    assert waits[0] == pytest.approx(LONGEST)
