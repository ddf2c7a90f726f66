"""What becomes of copies when their request, their shadow or the configuration changes under way?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from router.data.shadow_targets import Target
from tests.router.data.backend import Backend
from tests.router.data.conftest import experiment
from tests.router.data.inprocess import eventually, state_of
from tests.router.data.shadow_stage import Stage, configured, mirrored, staged

pytestmark = pytest.mark.usefixtures("traffic")


def target_of(stage: Stage) -> Target:
    """The shadow as the present snapshot has it."""
    (mirror,) = {entry.mirror for entry in stage.running.plane.snapshot.prefixes.values() if entry.mirror}
    (target,) = mirror._targets
    return target


async def test_an_upload_that_ends_while_its_request_waits_to_be_sent_again_is_copied_whole(
    tmp_path: Path, candidate: Backend
) -> None:
    """Its connection broke, and another request got the only one that the backend may have."""
    main = Backend("main")
    candidate.fault = "mirror"
    config = mirrored(main, candidate)
    config["backends"]["main"]["max_connections"] = 1
    try:
        async with configured(tmp_path, config) as stage:
            upload, other = await stage.connect(), await stage.connect()
            upload.writer.write(b"POST /?do=mirror HTTP/1.1\r\nhost: m\r\ncontent-length: 10\r\n\r\n01234")
            await eventually(lambda: main.heads)
            other.send("GET", "/?do=hold&gate=first")
            await eventually(lambda: stage.running.pool("main").waiting == 1)
            main.hang_up()
            await eventually(lambda: len(main.heads) == 2 and stage.running.pool("main").waiting == 1)
            upload.writer.write(b"56789")
            await upload.writer.drain()
            (exchange,) = [
                each.current for each in stage.running.plane.clients if each.current.method == b"POST"
            ]
            await eventually(lambda: exchange.complete)
            main.open("first")
            assert (await other.answer())[0] == 200
            assert (await upload.answer())[2] == b"0123456789"
            await stage.settled(2)
            (copy,) = [seen for seen in candidate.seen if seen.method == "POST"]
            assert copy.body == b"0123456789"
            assert stage.counts.pairs["candidate:same"] == 1
            assert stage.counts.answers["answered"] == 2
    finally:
        main.stop()


@pytest.mark.parametrize("compared", [1.0, 0.0])
async def test_a_body_that_is_read_at_once_and_taken_in_by_slices_is_copied_whole(
    tmp_path: Path, main_backend: Backend, candidate: Backend, compared: float
) -> None:
    body = bytes(range(256)) * 2000
    shadow: dict[str, Any] = {"max_body": "1MiB", "compare": {"share": compared}}
    async with staged(tmp_path, main_backend, candidate, **shadow) as stage:
        client = await stage.connect()
        head = b"POST /?do=mirror HTTP/1.1\r\nhost: m\r\ncontent-length: %d\r\n\r\n" % len(body)
        (connection,) = await first_client(stage)
        # As one read would bring it.
        connection.data_received(head + body)
        assert (await client.answer())[2] == body
        await stage.settled(1)
    assert candidate.seen[0].body == body


@pytest.mark.parametrize("compared", [1.0, 0.0])
async def test_requests_that_wait_for_a_connection_are_copied_whole(
    tmp_path: Path, main_backend: Backend, candidate: Backend, compared: float
) -> None:
    config = mirrored(main_backend, candidate, compare={"share": compared}, max_in_flight=100)
    config["backends"]["main"] |= {"max_connections": 1, "max_waiting": 100}
    async with configured(tmp_path, config) as stage:
        clients = [await stage.connect() for _ in range(40)]
        for number, client in enumerate(clients):
            client.send("POST", "/?do=mirror", body=b"%d" % number)
        for number, client in enumerate(clients):
            assert (await client.answer())[2] == b"%d" % number
        await stage.settled(40)
    assert sorted(int(seen.body) for seen in candidate.seen) == list(range(40))


async def first_client(stage: Stage) -> list[Any]:
    """The clients' connections, once there is one."""
    await eventually(lambda: stage.running.plane.clients)
    return list(stage.running.plane.clients)


async def test_an_upload_that_outlives_its_shadow_is_not_copied(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    """What the configuration no longer names gets nothing, and nobody would end what it does not answer."""
    async with staged(tmp_path, main_backend, candidate, timeout="200ms") as stage:
        candidate.fault = "hang"
        client = await stage.connect()
        heads = len(main_backend.heads)
        client.writer.write(b"POST /?do=mirror HTTP/1.1\r\nhost: m\r\ncontent-length: 10\r\n\r\n01234")
        await eventually(lambda: len(main_backend.heads) > heads)
        plane = stage.running.plane
        target = target_of(stage)
        settings: dict[str, Any] = {"backends": {"main": {"url": main_backend.url}}}
        settings["routes"] = [{"path": "/", "backend": "main"}]
        plane.adopt(state_of(settings, plane.snapshot.state))
        await eventually(lambda: not plane.shadows._retired)
        client.writer.write(b"56789")
        assert (await client.answer())[2] == b"0123456789"
        await eventually(lambda: stage.eligible == 1)
        assert stage.counts.copies["skipped:retired"] == 1
        assert (target.flying, target.open_pairs) == (set(), 0)
        assert not any(address.open for pool in target.pools for address in pool.addresses)
    assert candidate.heads == []


async def test_copies_for_which_there_is_no_room_are_no_failures_of_the_shadow(
    tmp_path: Path, main_backend: Backend, candidate: Backend
) -> None:
    async with staged(tmp_path, main_backend, candidate, max_in_flight=1) as stage:
        candidate.fault = "hold"
        client = await stage.connect()
        client.send("GET", "/?gate=never")
        await client.answer()
        await eventually(lambda: len(candidate.heads) == 1)
        target = target_of(stage)
        target.give_up()
        # Its connection is still to be counted out, and there may be one.
        for _ in range(9):
            target.copy(b"GET /", b"\r\n", 0, "share", head_only=False)
        assert stage.counts.copies["dropped:no_connection"] == 9
        candidate.fault = None
        await client.request("/")
        await stage.settled(11)
        assert stage.counts.copies["dropped:resting"] == 0
        assert stage.counts.answers["answered"] == 1


@pytest.mark.parametrize("compared", [1.0, 0.0])
async def test_endless_trailers_of_a_copys_answer_do_not_pile_up(
    tmp_path: Path, main_backend: Backend, candidate: Backend, compared: float
) -> None:
    async with staged(tmp_path, main_backend, candidate, compare={"share": compared}) as stage:
        candidate.fault = "hang"
        client = await stage.connect()
        assert (await client.request("/"))[0] == 200
        await eventually(lambda: candidate.seen)
        (copy,) = target_of(stage).flying
        connection = copy._connection
        assert connection is not None
        connection.data_received(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n")
        for _ in range(100):
            connection.data_received(b"x-fourteen-len: 0123456789\r\n")
        assert connection._head == []
        connection.data_received(b"\r\n")
        await stage.settled(1)
        assert stage.counts.answers["answered"] == 1


async def test_the_noise_is_that_of_the_backend_that_answered(tmp_path: Path, candidate: Backend) -> None:
    """Where the fallback answered after all, the assigned one's second answer says nothing about it."""
    main, broken = Backend("main"), Backend("broken")
    broken.fault = "close"
    config = mirrored(main, candidate, noise=1.0, compare={"ignore": ["/backend", "/headers"]})
    config["backends"]["challenger"] = {"url": broken.url}
    variants = {
        "champion": {"backend": "main", "weight": 0},
        "challenger": {"backend": "challenger", "weight": 1},
    }
    config["experiments"] = {"ranker": experiment(variants=variants, fallback="champion")}
    config["routes"][0]["experiment"] = "ranker"
    try:
        async with configured(tmp_path, config) as stage:
            client = await stage.connect()
            for number in range(3):
                status, _, body = await client.request("/", "X-User-Id: u")
                assert (status, b'"main"' in body) == (200, True)
                await stage.settled(number + 1)
            assert stage.counts.noise["sent"] == 3
            assert stage.counts.pairs["candidate:same"] == 3
            assert stage.counts.pairs["noise:differ"] == stage.counts.pairs["noise:same"] == 0
            assert "both" not in await stage.sums()
    finally:
        main.stop()
        broken.stop()


@pytest.mark.parametrize("what", ["x-turnout-token", "expect"])
async def test_what_a_copy_lacks_is_a_header_and_not_what_another_one_says(
    tmp_path: Path, main_backend: Backend, candidate: Backend, what: str
) -> None:
    async with staged(tmp_path, main_backend, candidate, split=True) as stage:
        client = await stage.connect()
        _, headers, _ = await client.request("/", "X-User-Id: u")
        line = f"x-turnout-token: {headers['x-turnout-token']}"
        if what == "expect":
            line = "expect: 100-continue"
        client.send("POST", "/", f"X-Mine: {line}", "X-Next: 1", line, "X-User-Id: u", body=b"x" * 10)
        while (await client.answer())[0] == 100:
            continue
        await stage.settled(2)
        copy = candidate.seen[1]
    assert copy.values("x-mine") == [line]
    assert copy.values("x-next") == ["1"]
    assert copy.values(what) == []


async def test_a_request_that_is_sent_again_is_copied_once(tmp_path: Path, candidate: Backend) -> None:
    main = Backend("main")
    try:
        async with staged(tmp_path, main, candidate, compare={"share": 0.5}) as stage:
            client = await stage.connect()
            for number in range(20):
                await client.request(f"/?n={number}")
                main.hang_up()
            await stage.settled(20)
            assert stage.sent == 20
    finally:
        main.stop()
    assert sorted(seen.target for seen in candidate.seen) == sorted(f"/?n={number}" for number in range(20))


async def test_a_worker_that_ends_blames_no_shadow_for_what_it_did_not_wait_for(
    tmp_path: Path, candidate: Backend
) -> None:
    main = Backend("main")
    try:
        async with staged(tmp_path, main, candidate, timeout="60s", noise=1.0) as stage:
            candidate.fault = "hang"
            client = await stage.connect()
            for _ in range(3):
                await client.request("/")
            await eventually(lambda: stage.sent == stage.counts.noise["sent"] == 3)
            stage.running.plane.shadows.close()
            await eventually(lambda: sum(stage.counts.uncompared.values()) == 3)
            assert stage.counts.answers["timeout"] == stage.counts.uncompared["not_sent"] == 3
            assert not any(stage.counts.pairs.values())
            assert await stage.sums() == {}
    finally:
        main.stop()
