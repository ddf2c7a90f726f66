"""Does what cannot be served get its proper status, as a problem document?"""

from __future__ import annotations

import pytest

from tests.router.control.stage import Stage

PATCH = ("PATCH", "/api/v1/experiments/ranker")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/experiments/nobody", 404),
        ("GET", "/api/v1/versions/999", 404),
        ("GET", "/api/v1/versions/one", 404),
        ("DELETE", "/api/v1/experiments", 405),
        ("POST", "/api/v1/experiments/ranker", 405),
        ("TRACE", "/api/v1/routes", 405),
        ("GET", "/api/v1/experiments?colour=red", 422),
        ("GET", "/api/v1/experiments?archived=maybe", 422),
        ("GET", "/api/v1/experiments?archived=true&archived=true", 422),
        ("GET", "/api/v1/versions?limit=0", 422),
    ],
)
async def test_statuses(stage: Stage, method: str, path: str, status: int) -> None:
    answer = await stage.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


async def test_a_wrong_method_is_told_the_right_ones(stage: Stage) -> None:
    answer = await stage.client.delete("/api/v1/experiments/ranker")
    assert {each.strip() for each in answer.headers["allow"].split(",")} == {"GET", "HEAD", "PATCH", "PUT"}


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"{}", "application/json; charset=utf-8", 422),
        (b"{}", "application/merge-patch+json", 422),
        (b" " * (4 * 1024**2 + 1), "application/json", 413),
    ],
)
async def test_bodies(stage: Stage, content: bytes, kind: str, status: int) -> None:
    answer = await stage.client.request(
        *PATCH, content=content, headers={"content-type": kind, "if-match": "*"}
    )
    assert answer.status_code == status, answer.text


async def test_a_body_without_a_length_is_bounded_too(stage: Stage) -> None:
    async def endless() -> object:
        for _ in range(65):
            yield b" " * 65536

    headers = {"content-type": "application/json", "if-match": "*"}
    answer = await stage.client.request(*PATCH, content=endless(), headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize("number", ["1" + "0" * 30, "1e300", "1e400", "9223372036854775808", "-1"])
async def test_a_number_is_refused_or_can_be_read_again(stage: Stage, number: str) -> None:
    content = f'{{"url": "http://127.0.0.1:1", "max_connections": {number}}}'
    headers = {"content-type": "application/json"}
    answer = await stage.client.put("/api/v1/backends/huge", content=content, headers=headers)
    assert answer.status_code in (201, 400, 422)
    again = await stage.call("GET", "/backends/huge")
    assert again.status_code == (200 if answer.status_code == 201 else 404)
    kept = (await stage.state()).settings.backends.get("huge")
    assert (kept is not None) == (answer.status_code == 201)
