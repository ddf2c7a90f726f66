"""Do requests over the wire get into the experiments that want them, and the rest to the route's backend?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from router.token import FORCED, read_token, sign_force
from tests.router.data.backend import Backend
from tests.router.data.conftest import experiment
from tests.router.data.inprocess import KEY, Running, running, state_of

FAR = 2**31 - 1


def config(main: Backend, challenger: Backend, **audiences: dict[str, Any]) -> dict[str, Any]:
    """Experiments in this order, all of whose units are the challenger's."""
    variants = {
        "champion": {"backend": "main", "weight": 0},
        "challenger": {"backend": "challenger", "weight": 1},
    }
    return {
        "backends": {"main": {"url": main.url}, "challenger": {"url": challenger.url}},
        "routes": [{"path": "/split", "backend": "main", "experiment": list(audiences)}],
        "experiments": {
            name: experiment(variants=variants, audience=audience) for name, audience in audiences.items()
        },
    }


def counted(plane: Running) -> dict[tuple[str, str, str, str], int]:
    """Requests by experiment, variant, backend and reason."""
    plane.plane.recorder.take(0.0)
    return {
        (each.experiment, each.variant, each.backend, each.reason): sum(each.statuses.values())
        for each in plane.plane.meter.totals().series
    }


async def test_headers_decide_and_who_is_not_meant_gets_the_default(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    nz = {"when": '"x-country" in request.headers && request.headers["x-country"] == "NZ"'}
    data = config(main_backend, challenger_backend, nz=nz)
    async with running(state_of(data), tmp_path) as plane:
        client = await plane.connect()
        status, headers, body = await client.request("/split", "X-User-Id: u", "X-COUNTRY: NZ")
        assert (status, b'"challenger"' in body) == (200, True)
        assert read_token(headers["x-turnout-token"], KEY).experiment == "nz"
        for other in ("X-Country: AU", "X-Other: NZ"):
            status, headers, body = await client.request("/split", "X-User-Id: u", other)
            assert (status, b'"main"' in body, "x-turnout-token" in headers) == (200, True, False)
        assert counted(plane) == {
            ("nz", "challenger", "challenger", "targeting_match"): 1,
            ("", "", "main", ""): 2,
        }
        assert plane.faults == []


async def test_a_body_is_awaited_only_where_it_is_read(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    pro = {"when": 'request.json.user.plan == "pro"'}
    async with running(state_of(config(main_backend, challenger_backend, pro=pro)), tmp_path) as plane:
        client = await plane.connect()
        for plan, backend in ((b"pro", b'"challenger"'), (b"free", b'"main"')):
            body = b'{"user": {"plan": "%b"}, "rest": "%b"}' % (plan, b"x" * 50_000)
            head = b"POST /split HTTP/1.1\r\nHost: h\r\nX-User-Id: u\r\nContent-Length: %d\r\n\r\n" % len(
                body
            )
            for piece in (head, body[:25], body[25:40], body[40:]):
                client.writer.write(piece)
                await client.writer.drain()
            status, _, answer = await client.answer()
            assert (status, backend in answer) == (200, True)
        assert plane.faults == []


async def test_experiments_of_a_route_are_asked_in_turn(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    data = config(
        main_backend,
        challenger_backend,
        first={"layer": "l", "part": [0.0, 0.5]},
        second={"layer": "l", "part": [0.5, 0.8]},
    ) | {"layers": {"l": {}}}
    async with running(state_of(data), tmp_path) as plane:
        client = await plane.connect()
        for number in range(60):
            _, headers, body = await client.request("/split", f"X-User-Id: user-{number}")
            assert (b'"challenger"' in body) == ("x-turnout-token" in headers)
        found = counted(plane)
        assert set(found) == {
            ("first", "challenger", "challenger", "static"),
            ("second", "challenger", "challenger", "static"),
            ("", "", "main", ""),
        }
        assert sum(found.values()) == 60
        assert plane.faults == []


async def test_forced_units_are_served_and_not_counted(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    audience = {"share": 0.0, "forced": {"champion": ["tester"], "challenger": ["other"]}}
    async with running(state_of(config(main_backend, challenger_backend, e=audience)), tmp_path) as plane:
        client = await plane.connect()
        for unit, variant in (("tester", "champion"), ("other", "challenger")):
            _, headers, _ = await client.request("/split", f"X-User-Id: {unit}")
            token = read_token(headers["x-turnout-token"], KEY)
            assert (token.variant, token.flags) == (variant, FORCED)
        force = sign_force(KEY, "e", "challenger", FAR)
        _, headers, _ = await client.request("/split", "X-User-Id: else", f"X-Turnout-Force: {force}")
        assert read_token(headers["x-turnout-token"], KEY).flags == FORCED
        assert counted(plane) == {
            ("e", "champion", "main", "forced"): 1,
            ("e", "challenger", "challenger", "forced"): 2,
        }
        assert plane.plane.recorder.pending == 0


async def test_a_client_without_a_unit_keeps_the_one_that_decided(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    data = config(main_backend, challenger_backend, e={"share": 0.5})
    data["experiments"]["e"] |= {"unit": [{"cookie": "uid"}], "cookie": {"name": "uid"}}
    async with running(state_of(data), tmp_path) as plane:
        client = await plane.connect()
        outcomes = set()
        for _ in range(40):
            _, headers, _ = await client.request("/split")
            uid = headers["set-cookie"].partition(";")[0]
            _, again, _ = await client.request("/split", f"Cookie: {uid}")
            taken = "x-turnout-token" in headers
            assert ("x-turnout-token" in again) == taken
            assert "set-cookie" not in again
            outcomes.add(taken)
        assert outcomes == {True, False}
