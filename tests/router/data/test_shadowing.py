"""Do copies reach a shadow as they should, and does nothing that it does reach a client?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from router.data.exchange import Exchange
from router.data.shadow_starts import Pace
from tests.router.data.backend import Backend
from tests.router.data.inprocess import eventually, running, state_of
from tests.router.data.shadow_stage import staged

pytestmark = pytest.mark.usefixtures("traffic")


@pytest.mark.parametrize("body", [b'{"a": 1}', b"x" * 40_000])
@pytest.mark.parametrize("compared", [1.0, 0.0])
async def test_a_copy_says_what_it_is_and_is_otherwise_the_same(
    tmp_path: Path, main_backend: Backend, candidate: Backend, compared: float, body: bytes
) -> None:
    async with staged(tmp_path, main_backend, candidate, compare={"share": compared}) as stage:
        client = await stage.connect()
        before = len(main_backend.seen)
        client.send("POST", "/v1?user=7", "X-Mine: 1", "traceparent: 00-ab-cd-01", body=body)
        status, headers, _ = await client.answer()
        await stage.settled(1)
        original, copy = main_backend.seen[before], candidate.seen[0]
    assert status == 200
    assert (copy.method, copy.target, copy.body) == ("POST", "/v1?user=7", body)
    assert copy.values("x-turnout-shadow") == ["1"]
    assert original.values("x-turnout-shadow") == []
    assert copy.values("host") == [candidate.url.removeprefix("http://")]
    assert copy.values("x-request-id") == [headers["x-request-id"]]
    assert copy.values("traceparent") == ["00-ab-cd-01"]
    shared = [pair for pair in original.headers if pair[0] != "host"]
    assert [pair for pair in copy.headers if pair[0] not in ("host", "x-turnout-shadow")] == shared


async def test_an_answer_that_comes_before_the_copies_start_is_compared_all_the_same(
    tmp_path: Path, main_backend: Backend, candidate: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(tmp_path, main_backend, candidate, noise=1.0) as stage:
        starts = stage.running.plane.shadows.starts
        start_soon = starts.start_soon
        held: list[tuple[Exchange, Pace]] = []
        monkeypatch.setattr(starts, "start_soon", lambda *which: held.append(which))
        client = await stage.connect()
        status, _, _ = await client.request("/")
        assert (status, stage.sent) == (200, 0)
        for exchange, pace in held:
            start_soon(exchange, pace)
        await stage.settled(1)
        sums = await stage.sums()
    assert sums["candidate.pairs"] == sums["noise.pairs"] == sums["candidate.timed"] == 1
    assert not any(stage.counts.uncompared.values())


async def test_clients_cannot_pass_for_copies_nor_tokens_reach_a_shadow(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    async with staged(tmp_path, main_backend, candidate, split=True) as stage:
        client = await stage.connect()
        _, headers, _ = await client.request("/", "X-User-Id: u")
        token = headers["x-turnout-token"]
        before = len(main_backend.seen)
        await client.request("/", "X-User-Id: u", f"X-Turnout-Token: {token}", "X-Turnout-Shadow: 1")
        await stage.settled(2)
        original, copy = main_backend.seen[before], candidate.seen[1]
    assert original.values("x-turnout-token") == [token]
    assert original.values("x-turnout-shadow") == []
    assert copy.values("x-turnout-token") == []
    assert copy.values("x-turnout-shadow") == ["1"]


@pytest.mark.parametrize("framing", ["length", "chunked", "expect"])
async def test_a_body_that_comes_in_pieces_is_copied_whole(
    tmp_path: Path, main_backend: Backend, candidate: Backend, framing: str
) -> None:
    async with staged(tmp_path, main_backend, candidate) as stage:
        client = await stage.connect()
        lines = {"length": b"content-length: 10", "chunked": b"transfer-encoding: chunked"}
        lines["expect"] = lines["length"] + b"\r\nexpect: 100-continue"
        client.writer.write(b"POST /?do=mirror HTTP/1.1\r\nhost: m\r\n" + lines[framing] + b"\r\n\r\n")
        heads = len(main_backend.heads)
        await eventually(lambda: len(main_backend.heads) > heads or framing == "expect")
        pieces = (b"01234", b"56789")
        for piece in pieces:
            client.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)
            await client.writer.drain()
        if framing == "chunked":
            client.writer.write(b"0\r\n\r\n")
        status, _, body = await client.answer()
        if status == 100:
            status, _, body = await client.answer()
        await stage.settled(1)
    assert (status, body) == (200, b"0123456789")
    assert candidate.seen[0].body == b"0123456789"
    assert candidate.seen[0].values("expect") == []


async def test_an_upload_that_is_answered_before_its_end_is_not_copied(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    async with staged(tmp_path, main_backend, candidate) as stage:
        client = await stage.connect()
        client.writer.write(b"POST /?do=decline HTTP/1.1\r\nhost: m\r\ncontent-length: 100\r\n\r\n0")
        await client.answer()
        await eventually(lambda: stage.eligible == 1)
        assert stage.counts.copies["skipped:upload"] == 1
    assert candidate.heads == []


async def test_large_bodies_are_not_copied(tmp_path: Path, main_backend: Backend, candidate: Backend) -> None:
    async with staged(tmp_path, main_backend, candidate, max_body="1KiB") as stage:
        client = await stage.connect()
        for size in (1024, 1025):
            client.send("POST", "/", body=b"x" * size)
            await client.answer()
        await stage.settled(2)
        assert (stage.sent, stage.counts.copies["skipped:body"]) == (1, 1)


async def test_upgrades_are_not_copied(tmp_path: Path, main_backend: Backend, candidate: Backend) -> None:
    async with staged(tmp_path, main_backend, candidate) as stage:
        client = await stage.connect()
        client.send("GET", "/?do=upgrade", "Connection: upgrade", "Upgrade: websocket")
        await client.reader.readuntil(b"\r\n\r\n")
        assert stage.counts.copies["skipped:upgrade"] == 1
        client.close()
    assert candidate.heads == []


async def test_what_is_refused_is_not_copied(tmp_path: Path, candidate: Backend) -> None:
    gone = Backend("gone")
    gone.stop()
    async with staged(tmp_path, gone, candidate) as stage:
        client = await stage.connect()
        assert (await client.request("/"))[0] == 502
        await eventually(lambda: stage.eligible == 1)
        assert stage.counts.copies["skipped:refused"] == 1
    assert candidate.heads == []


async def test_a_share_of_the_units_is_copied_always_the_same(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    async with staged(tmp_path, main_backend, candidate, split=True, share=0.5) as stage:
        client = await stage.connect()
        for _ in range(2):
            for unit in range(60):
                await client.request(f"/?u={unit}", f"X-User-Id: {unit}")
        await stage.settled(stage.eligible)
    targets = [seen.target for seen in candidate.seen]
    assert sorted(targets) == sorted([*set(targets), *set(targets)])
    assert 15 < len(set(targets)) < 45


async def test_each_request_several_times_and_not_faster_than_the_rate(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    async with staged(tmp_path, main_backend, candidate, multiply=3, rate=4.0) as stage:
        client = await stage.connect()
        for _ in range(3):
            await client.request("/")
        await stage.settled(9)
        assert stage.counts.copies["skipped:rate"] >= 4
        assert stage.sent + stage.counts.copies["skipped:rate"] == 9
    assert len(candidate.seen) == stage.sent


MISBEHAVIOURS = ["hang", "close", "bad", "reset", "cut_head", "cut_body", "hang_in_body", "extra", "big_head"]


@pytest.mark.parametrize("compared", [1.0, 0.0])
@pytest.mark.parametrize("fault", MISBEHAVIOURS)
async def test_whatever_a_shadow_does_clients_get_the_same_answers(
    tmp_path: Path, main_backend: Backend, candidate: Backend, fault: str, compared: float
) -> None:
    """The same requests to a route with the shadow and, in between, through a plane without one."""
    shadow = {"timeout": "200ms", "max_in_flight": 2, "compare": {"share": compared}}
    plain = state_of(
        {"backends": {"main": {"url": main_backend.url}}, "routes": [{"path": "/", "backend": "main"}]}
    )
    async with (
        staged(tmp_path, main_backend, candidate, **shadow) as stage,
        running(plain, tmp_path / "plain") as other,
    ):
        candidate.fault = fault
        mirrored, alone = await stage.connect(), await other.connect()
        for number in range(20):
            for client in (mirrored, alone):
                client.send(
                    "POST",
                    f"/?do=mirror&n={number}&kind=garbage&bytes=900000&case=1",
                    "X-Request-Id: r",
                    body=b"%d" % number,
                )
            answers = await mirrored.answer(), await alone.answer()
            assert answers[0] == answers[1]
            assert answers[0][0] == 200
        await stage.settled(20)
        counts = stage.counts
        assert stage.sent + sum(number for what, number in counts.copies.items() if what != "sent") == 20
        if fault == "hang":
            assert counts.answers["timeout"] == stage.sent >= 2
        begun = sum(counts.copies[what] for what in ("sent", "dropped:no_connection", "dropped:unreachable"))
        assert counts.uncompared["share"] == (0 if compared else begun)
        # Of a pair whose copy failed it is known that it differs, and nothing else.
        sums = await stage.sums()
        pairs = counts.pairs["candidate:same"] + counts.pairs["candidate:differ"]
        assert sums.get("candidate.pairs", 0) == pairs
        assert (pairs > 0) == (compared > 0)
        assert sums.get("candidate.failed", 0) <= sums.get("candidate.differs", 0)
        assert stage.running.plane.meter.refusals == {}
        assert other.faults == []


async def test_a_shadow_that_is_not_there_at_all(tmp_path: Path, main_backend: Backend) -> None:
    gone = Backend("gone")
    gone.stop()
    async with staged(tmp_path, main_backend, gone) as stage:
        client = await stage.connect()
        for number in range(5):
            assert (await client.request("/"))[0] == 200
            await stage.settled(number + 1)
        assert stage.counts.copies["dropped:unreachable"] == 5
        await eventually(lambda: stage.counts.uncompared["not_sent"] == 5)


async def test_a_shadow_that_fails_again_and_again_rests_before_it_is_asked_again(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    async with staged(tmp_path, main_backend, candidate) as stage:
        candidate.fault = "close"
        client = await stage.connect()
        sent = 0
        while not stage.counts.copies["dropped:resting"]:
            assert (await client.request("/"))[0] == 200
            sent += 1
            await stage.settled(sent)
        assert stage.counts.answers["failed"] == 5
        candidate.fault = None
        while not stage.counts.answers["answered"]:
            assert (await client.request("/"))[0] == 200
            sent += 1
            await stage.settled(sent)
        assert stage.sent == 6


async def test_no_more_copies_are_in_flight_than_allowed(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    async with staged(tmp_path, main_backend, candidate, max_in_flight=3) as stage:
        candidate.fault = "hold"
        client = await stage.connect()
        for _ in range(10):
            client.send("GET", "/?gate=g")
            assert (await client.answer())[0] == 200
        await eventually(lambda: stage.eligible == 10)
        assert (stage.sent, stage.counts.copies["dropped:in_flight"]) == (3, 7)
        candidate.open("g")
        await stage.settled(10)
    assert len(candidate.heads) == 3


async def test_answers_are_compared_and_told_to_the_ledger(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    compare = {"ignore": ["/backend", "/headers"], "top": "/method", "redact": ["/target"]}
    async with staged(tmp_path, main_backend, candidate, compare=compare) as stage:
        client = await stage.connect()
        for _ in range(5):
            await client.request("/secret")
        await stage.settled(5)
        assert stage.counts.pairs["candidate:same"] == 5
        candidate.fault = "mirror"
        await client.request("/secret")
        await stage.settled(6)
        assert stage.counts.pairs["candidate:differ"] == 1
        sums = await stage.sums()
    assert (sums["candidate.pairs"], sums["candidate.differs"], sums["candidate.body"]) == (6, 1, 1)
    assert (sums["candidate.top_pairs"], sums["candidate.top_same"]) == (6, 5)
    assert sums["candidate.timed"] == 6
    (example,) = [json.loads(each) for batch in stage.batches for each in batch.examples]
    assert (example["method"], example["path"]) == ("GET", "/secret")
    assert '"/secret"' not in example["client"]["body"]


async def test_the_current_model_is_asked_twice_to_know_its_noise(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    compare = {"ignore": ["/backend"]}
    before = len(main_backend.seen)
    async with staged(tmp_path, main_backend, candidate, noise=1.0, split=True, compare=compare) as stage:
        client = await stage.connect()
        for unit in range(6):
            await client.request("/", f"X-User-Id: {unit}")
        await stage.settled(6)
        await eventually(lambda: sum(stage.counts.pairs.values()) == 12)
        sums = await stage.sums()
    seen = main_backend.seen[before:]
    assert len(seen) == 12
    assert sum(each.values("x-turnout-shadow") == ["1"] for each in seen) == 6
    assert (sums["noise.pairs"], sums["both"], stage.counts.noise["sent"]) == (6, 6, 6)
    # The second request says that it is a copy, and the echo shows that: both differ, neither alone.
    assert "candidate_only" not in sums
    buckets = [bucket for batch in stage.batches for bucket in batch.sums["both"]]
    assert len(set(buckets)) > 1


async def test_answers_too_large_to_compare_are_neither_kept_nor_compared(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    async with staged(tmp_path, main_backend, candidate, compare={"max_body": 100}) as stage:
        client = await stage.connect()
        client.send("POST", "/?do=mirror", body=b"x" * 100)
        await client.answer()
        client.send("POST", "/?do=mirror", body=b"x" * 101)
        await client.answer()
        await stage.settled(2)
        assert stage.counts.uncompared["too_large"] == 1
        assert stage.counts.pairs["candidate:same"] == 1


@pytest.mark.parametrize(
    "do", ["chunked&n=9", "until_close", "status&code=204", "status&code=503", "big_head"]
)
async def test_every_framing_is_compared_by_what_it_holds(
    tmp_path: Path, main_backend: Backend, candidate: Backend, do: str
) -> None:
    async with staged(tmp_path, main_backend, candidate) as stage:
        client = await stage.connect()
        client.send("GET", f"/?do={do}&bytes=900000")
        await stage.settled(1)
        wanted = "no_client_answer" if do == "big_head" else ""
        assert stage.counts.uncompared.get(wanted, 0) == bool(wanted)
        assert stage.counts.pairs["candidate:same"] == (not wanted)


@pytest.mark.parametrize(
    "do",
    ["chunked&n=9", "until_close", "status&code=204", "status&code=503", "old", "hints"],
)
async def test_every_framing_of_an_answer_that_is_only_dropped_leaves_its_connection_usable_or_closed(
    tmp_path: Path, main_backend: Backend, candidate: Backend, do: str
) -> None:
    async with staged(tmp_path, main_backend, candidate, compare={"share": 0.0}) as stage:
        client = await stage.connect()
        for number in range(3):
            client.send("GET", f"/?do={do}")
            await stage.settled(number + 1)
            await client.answer()
            client = await stage.connect()
        assert stage.counts.answers["answered"] == stage.counts.uncompared["share"] == 3
        assert stage.running.plane.shadows.connections <= 1


@pytest.mark.parametrize("compared", [1.0, 0.0])
async def test_a_head_request_is_copied_as_one(
    tmp_path: Path, main_backend: Backend, candidate: Backend, compared: float
) -> None:
    async with staged(tmp_path, main_backend, candidate, compare={"share": compared}) as stage:
        client = await stage.connect()
        for _ in range(2):
            client.send("HEAD", "/")
            await client.reader.readuntil(b"\r\n\r\n")
        await stage.settled(2)
        assert stage.counts.pairs["candidate:same"] == 2 * compared
    assert [seen.method for seen in candidate.seen] == ["HEAD", "HEAD"]


async def test_a_client_that_hangs_up_leaves_nothing_behind(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    async with staged(tmp_path, main_backend, candidate) as stage:
        client = await stage.connect()
        client.send("GET", "/?do=hold&gate=never-opened")
        await eventually(lambda: stage.sent == 1)
        client.close()
        candidate.open("never-opened")
        await eventually(lambda: stage.counts.uncompared["no_client_answer"] == 1)


async def test_a_shadow_that_goes_away_with_the_configuration_ends_what_it_began(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    async with staged(tmp_path, main_backend, candidate, timeout="300ms") as stage:
        candidate.fault = "hang"
        client = await stage.connect()
        await client.request("/")
        await eventually(lambda: stage.sent == 1)
        plane = stage.running.plane
        settings: dict[str, Any] = {"backends": {"main": {"url": main_backend.url}}}
        settings["routes"] = [{"path": "/", "backend": "main"}]
        plane.adopt(state_of(settings, plane.snapshot.state))
        assert (await client.request("/"))[0] == 200
        await eventually(lambda: not plane.shadows.connections)
        assert (stage.sent, stage.counts.answers["timeout"]) == (1, 1)
