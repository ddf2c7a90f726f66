"""Does a change of the configuration leave alone what it does not concern, and every request under way?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from router.token import FORCED, UNIDENTIFIED, read_token, sign_force
from tests.router.data.backend import Backend
from tests.router.data.conftest import experiment
from tests.router.data.inprocess import KEY, Running, eventually, running, state_of


def config(*backends: Backend, **changes: Any) -> dict[str, Any]:
    """Backends b0, b1, ... under /b0, /b1, ...; the changes are b0's."""
    settings = {f"b{number}": {"url": backend.url} for number, backend in enumerate(backends)}
    settings["b0"] |= changes
    return {"backends": settings, "routes": [{"path": f"/{name}", "backend": name} for name in settings]}


def accounts(plane: Running, name: str) -> list[tuple[int, int, int]]:
    """Of each address of a backend: connections open, requests outstanding, connections idle."""
    addresses = plane.pool(name).addresses
    return [(address.open, address.outstanding, len(address.idle)) for address in addresses]


async def until_seen(backend: Backend, case: str) -> None:
    """Until the backend has the request of this case."""
    await eventually(lambda: any(f"case={case}" in head.target for head in backend.heads))


async def test_a_pool_that_is_not_concerned_stays(main_backend: Backend, tmp_path: Path) -> None:
    before = state_of(config(main_backend, main_backend))
    async with running(before, tmp_path) as plane:
        client = await plane.connect()
        assert (await client.request("/b0"))[0] == 200
        assert (await client.request("/b1"))[0] == 200
        kept, changed = plane.pool("b0"), plane.pool("b1")
        after = config(main_backend, main_backend)
        after["backends"]["b1"]["max_connections"] = 7
        after["routes"].append({"path": "/more", "backend": "b0"})
        plane.plane.adopt(state_of(after, before))
        assert plane.pool("b0") is kept
        assert plane.pool("b1") is not changed
        assert (kept.retired, changed.retired) == (False, True)
        # Its idle connection still serves, the changed one's is closed.
        assert accounts(plane, "b0") == [(1, 0, 1)]
        await eventually(lambda: changed.addresses[0].open == 0)
        assert (await client.request("/more"))[0] == 200
        assert accounts(plane, "b0") == [(1, 0, 1)]


async def test_a_request_under_way_is_answered_over_a_change(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    main_backend.close("adopt")
    before = state_of(config(main_backend))
    async with running(before, tmp_path) as plane:
        client = await plane.connect()
        client.send("GET", "/b0?do=hold&gate=adopt&case=adopt")
        await until_seen(main_backend, "adopt")
        old = plane.pool("b0")
        plane.plane.adopt(state_of(config(challenger_backend), before))
        other = await plane.connect()
        assert b'"challenger"' in (await other.request("/b0"))[2]
        main_backend.open("adopt")
        status, _, body = await client.answer()
        assert (status, body) == (200, b"held 0")
        # The client's connection goes on, by the new configuration; the backend's is closed.
        assert b'"challenger"' in (await client.request("/b0"))[2]
        await eventually(lambda: [address.open for address in old.addresses] == [0])
        assert [address.outstanding for address in old.addresses] == [0]


async def test_an_upload_under_way_goes_on_over_a_change(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    before = state_of(config(main_backend))
    async with running(before, tmp_path) as plane:
        client = await plane.connect()
        client.writer.write(
            b"POST /b0?do=echo&case=upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello"
        )
        await until_seen(main_backend, "upload")
        plane.plane.adopt(state_of(config(challenger_backend), before))
        client.writer.write(b"world")
        status, _, body = await client.answer()
        assert status == 200
        assert b'"main"' in body
        assert b'"length": 10' in body


async def test_a_backend_that_is_removed_is_let_go(main_backend: Backend, tmp_path: Path) -> None:
    before = state_of(config(main_backend, main_backend))
    async with running(before, tmp_path) as plane:
        client = await plane.connect()
        assert (await client.request("/b1"))[0] == 200
        gone = plane.pool("b1")
        plane.plane.adopt(state_of(config(main_backend), before))
        assert (await client.request("/b1"))[0] == 404
        await eventually(lambda: gone.addresses[0].open == 0)


async def test_a_state_that_cannot_be_built_changes_nothing(main_backend: Backend, tmp_path: Path) -> None:
    good = config(main_backend)
    good["routes"][0]["experiment"] = "e"
    good["experiments"] = {"e": experiment(variants={"v": {"backend": "b0", "weight": 1}}, control="v")}
    before = state_of(good)
    async with running(before, tmp_path) as plane:
        client = await plane.connect()
        assert (await client.request("/b0"))[0] == 200
        snapshot, pool = plane.plane.snapshot, plane.pool("b0")
        after = state_of(config(main_backend, main_backend, max_connections=3) | {"experiments": {}}, before)
        epoch = before.epochs["e"]
        broken = type(after)(
            version=after.version,
            settings=before.settings,
            epochs={"e": type(epoch)(number=2, started=0.0, salt="e", weights={"v": 0.0}, why="broken")},
            key=KEY,
        )
        with pytest.raises(ValueError, match="weight"):
            plane.plane.adopt(broken)
        assert plane.plane.snapshot is snapshot
        assert plane.pool("b0") is pool
        assert not pool.retired
        assert (await client.request("/b0"))[0] == 200


async def test_an_epoch_that_goes_on_keeps_its_sums(main_backend: Backend, tmp_path: Path) -> None:
    data = config(main_backend)
    data["routes"][0]["experiment"] = "e"
    data["experiments"] = {"e": experiment(variants={"v": {"backend": "b0", "weight": 1}}, control="v")}
    before = state_of(data)
    async with running(before, tmp_path) as plane:

        def accumulator() -> Any:
            trial = plane.plane.snapshot.prefixes[b"/b0"].trial
            assert trial is not None
            return trial.slots["v"].accumulator

        first = accumulator()
        after = config(main_backend, main_backend) | {"experiments": data["experiments"]}
        after["routes"][0]["experiment"] = "e"
        middle = state_of(after, before)
        plane.plane.adopt(middle)
        assert accumulator() is first
        after["experiments"]["e"]["salt"] = "another"
        plane.plane.adopt(state_of(after, middle))
        assert accumulator() is not first
        assert (first.epoch, accumulator().epoch) == (1, 2)


async def test_a_token_is_of_the_epoch_that_assigned(main_backend: Backend, tmp_path: Path) -> None:
    """A request that began before a change is credited to the epoch in which it was assigned."""
    main_backend.close("epoch")
    data = config(main_backend)
    data["routes"][0]["experiment"] = "e"
    data["experiments"] = {"e": experiment(variants={"v": {"backend": "b0", "weight": 1}}, control="v")}
    before = state_of(data)
    async with running(before, tmp_path) as plane:
        client = await plane.connect()
        client.send("GET", "/b0?do=hold&gate=epoch&case=epoch", "x-user-id: u-1")
        await until_seen(main_backend, "epoch")
        data["experiments"]["e"]["salt"] = "another"
        plane.plane.adopt(state_of(data, before))
        main_backend.open("epoch")
        _, headers, _ = await client.answer()
        assert read_token(headers["x-turnout-token"], KEY).epoch == 1
        _, headers, _ = await client.request("/b0", "x-user-id: u-1")
        assert read_token(headers["x-turnout-token"], KEY).epoch == 2


# -- units, cookies and forced variants --------------------------------------------------------------------


def split(main: Backend, challenger: Backend, **changes: Any) -> dict[str, Any]:
    data = config(main, challenger)
    variants = {"old": {"backend": "b0", "weight": 1}, "new": {"backend": "b1", "weight": 1}}
    data["routes"] = [{"path": "/", "backend": "b0", "experiment": "e"}]
    data["experiments"] = {"e": experiment(variants=variants, control="old", **changes)}
    return data


async def test_a_request_without_a_unit_is_given_one(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    state = state_of(split(main_backend, challenger_backend, cookie={"name": "uid", "max_age": "1h"}))
    async with running(state, tmp_path) as plane:
        client = await plane.connect()
        seen = set()
        for _ in range(30):
            _, headers, _ = await client.request("/")
            token = read_token(headers["x-turnout-token"], KEY)
            assert token.flags == UNIDENTIFIED
            name, _, rest = headers["set-cookie"].partition("=")
            assert name == "uid"
            unit = rest.partition(";")[0]
            # With it the next request has a unit, the same variant, and no other cookie.
            _, again, _ = await client.request("/", f"cookie: uid={unit}")
            assert "set-cookie" not in again
            second = read_token(again["x-turnout-token"], KEY)
            assert (second.variant, second.bucket, second.flags) == (token.variant, token.bucket, 0)
            seen.add((unit, token.variant))
        assert len(seen) == 30
        assert {variant for _, variant in seen} == {"old", "new"}


async def test_a_forced_variant_is_given_marked_and_not_recorded(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    async with running(state_of(split(main_backend, challenger_backend)), tmp_path) as plane:
        client = await plane.connect()
        for variant in ("old", "new"):
            force = sign_force(KEY, "e", variant, 2**40)
            for unit in range(5):
                _, headers, _ = await client.request("/", f"x-user-id: {unit}", f"x-turnout-force: {force}")
                token = read_token(headers["x-turnout-token"], KEY)
                assert (token.variant, token.flags) == (variant, FORCED)
        assert plane.plane.recorder.save(0.0) == 0
        await client.request("/", "x-user-id: 1")
        assert plane.plane.recorder.save(0.0) == 1


@pytest.mark.parametrize(
    "force", ["", ".", "a.b", "e.new.0.00", "e.new.soon.00", "e.new." + "9" * 5000 + ".00", "\u00ff.\u00fe"]
)
async def test_garbage_for_a_force_changes_nothing(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path, force: str
) -> None:
    async with running(state_of(split(main_backend, challenger_backend)), tmp_path) as plane:
        client = await plane.connect()
        for unit in range(4):
            _, plain, _ = await client.request("/", f"x-user-id: {unit}")
            _, tried, _ = await client.request("/", f"x-user-id: {unit}", f"x-turnout-force: {force}")
            first, second = (read_token(each["x-turnout-token"], KEY) for each in (plain, tried))
            assert (first.variant, first.flags) == (second.variant, second.flags)
        assert plane.faults == []


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"user":"\\ud800"}',
        b'{"user":"\xff"}',
        b'{"user":12.',
        b"",
        b'{"user":' + b"9" * 5000,
    ],
    ids=["deep", "surrogate", "no UTF-8", "cut", "empty", "long"],
)
async def test_a_body_of_any_bytes_is_forwarded(main_backend: Backend, tmp_path: Path, body: bytes) -> None:
    """The unit is looked for in it; what it is made of must not matter to the request."""
    data = split(main_backend, main_backend, unit=[{"json": "/user"}])
    async with running(state_of(data), tmp_path) as plane:
        client = await plane.connect()
        client.send("POST", "/", body=body)
        status, _, answer = await client.answer()
        assert status == 200
        assert f'"length": {len(body)}'.encode() in answer
        assert plane.faults == []
