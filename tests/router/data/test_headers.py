"""Which headers reach the backend, which come back, and which does the router set?"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from router.token import read_token, sign_force
from tests.router.data.client import Connection, Response
from tests.router.data.conftest import Stage


@pytest.fixture
def connection(stage: Stage) -> Iterator[Connection]:
    with stage.service.connect() as connection:
        yield connection


def seen_headers(connection: Connection, *headers: str, target: str = "/?do=echo") -> dict[str, list[str]]:
    """What the backend saw of a GET with these headers, by lower-case name."""
    with connection:
        found: dict[str, list[str]] = {}
        for name, value in connection.request("GET", target, *headers).json()["headers"]:
            found.setdefault(name.lower(), []).append(value)
        return found


def test_end_to_end_headers_reach_the_backend_as_they_are(stage: Stage, connection: Connection) -> None:
    seen = seen_headers(
        connection,
        "Accept: application/json",
        "Authorization: Bearer abc",
        "X-Many: 1",
        "X-Many: 2, 3",
        "X-Empty:",
        "X-Spaced: \t a  b \t ",
        "X-Latin: \xe4\xff",
        "Cookie: a=1; b=2",
        "Date: x",
    )
    assert seen["accept"] == ["application/json"]
    assert seen["authorization"] == ["Bearer abc"]
    assert seen["x-many"] == ["1", "2, 3"]
    assert seen["x-empty"] == [""]
    assert seen["x-spaced"] == ["a  b"]
    assert seen["x-latin"] == ["\xe4\xff"]
    assert seen["cookie"] == ["a=1; b=2"]
    assert seen["date"] == ["x"]
    assert seen["host"] == [stage.main.url.removeprefix("http://")]


HOP_BY_HOP = (
    "Keep-Alive: timeout=9",
    "Proxy-Connection: x",
    "Proxy-Authorization: x",
    "TE: trailers",
    "Trailer: x",
)


def test_hop_by_hop_headers_do_not_reach_the_backend(connection: Connection) -> None:
    seen = seen_headers(
        connection, *HOP_BY_HOP, "Connection: keep-alive, X-Secret , x-other", "X-Secret: 1", "X-Other: 2"
    )
    for name in (*(line.split(":")[0].lower() for line in HOP_BY_HOP), "x-secret", "x-other"):
        assert name not in seen
    assert "x-secret" not in " ".join(seen.get("connection", [])).lower()


def test_connection_may_name_headers_in_several_lines_and_before_or_after_them(
    connection: Connection,
) -> None:
    seen = seen_headers(connection, "X-A: 1", "Connection: X-A", "Connection: x-b", "X-B: 2", "X-C: 3")
    assert "x-a" not in seen
    assert "x-b" not in seen
    assert seen["x-c"] == ["3"]


def test_connection_cannot_strip_what_the_router_sets(stage: Stage, connection: Connection) -> None:
    seen = seen_headers(
        connection,
        "Connection: close, X-Forwarded-For, Host, X-Request-Id, X-Forwarded-Proto, Content-Length",
    )
    assert seen["x-forwarded-for"] == ["127.0.0.1"]
    assert seen["x-forwarded-proto"] == ["http"]
    assert seen["host"] == [stage.main.url.removeprefix("http://")]
    assert seen["x-request-id"]


def test_connection_cannot_strip_the_framing(stage: Stage, connection: Connection) -> None:
    with connection:
        answer = connection.request(
            "POST", "/?do=mirror", "Connection: Content-Length", body=b"GET / HTTP/1.1\r\n\r\n"
        )
        if answer.status == 200:
            assert answer.body == b"GET / HTTP/1.1\r\n\r\n"
        else:
            assert answer.status == 400


def test_upgrade_without_connection_upgrade_is_dropped(connection: Connection) -> None:
    assert "upgrade" not in seen_headers(connection, "Upgrade: h2c")


def test_hop_by_hop_headers_do_not_come_back(connection: Connection) -> None:
    with connection:
        answer = connection.request("GET", "/?do=headers")
        names = [name.lower() for name, _ in answer.head.headers]
        assert not {"keep-alive", "proxy-authenticate", "x-private"} & set(names)
        assert answer.head.value("x-public") == "2"
        assert answer.head.values("set-cookie") == ["a=1", "b=2"]
        assert answer.head.value("server") == "model"
        assert answer.head.value("date") == "Thu, 01 Jan 1970 00:00:00 GMT"
        assert "x-private" not in (answer.head.value("connection") or "").lower()


def test_forwarded_headers_are_set(connection: Connection) -> None:
    seen = seen_headers(connection)
    assert seen["x-forwarded-for"] == ["127.0.0.1"]
    assert seen["x-forwarded-proto"] == ["http"]
    assert seen["x-forwarded-host"] == ["models.example"]


@pytest.mark.parametrize("lines", [("10.0.0.1, 10.0.0.2",), ("10.0.0.1", "10.0.0.2")])
def test_forwarded_for_is_appended(connection: Connection, lines: tuple[str, ...]) -> None:
    seen = seen_headers(connection, *(f"X-Forwarded-For: {line}" for line in lines))
    addresses = [part.strip() for value in seen["x-forwarded-for"] for part in value.split(",")]
    assert addresses == ["10.0.0.1", "10.0.0.2", "127.0.0.1"]


def test_request_id_is_passed_on_and_returned(stage: Stage, connection: Connection) -> None:
    with connection:
        answer = connection.request("GET", "/?do=echo", "X-Request-Id: my-id-1")
        assert answer.head.value("x-request-id") == "my-id-1"
        assert ["x-request-id", "my-id-1"] in [
            [name.lower(), value] for name, value in answer.json()["headers"]
        ]


def test_request_id_is_made_and_unique(connection: Connection) -> None:
    made = []
    with connection:
        for _ in range(50):
            answer = connection.request("GET", "/?do=echo")
            (sent,) = [value for name, value in answer.json()["headers"] if name.lower() == "x-request-id"]
            assert answer.head.value("x-request-id") == sent
            made.append(sent)
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{8,64}", value) for value in made)


def test_request_id_that_is_too_long_or_repeated_is_not_trusted(connection: Connection) -> None:
    with connection:
        answer = connection.request("GET", "/?do=echo", "X-Request-Id: " + "a" * 5000)
        assert answer.status == 400 or len(answer.head.value("x-request-id") or "") <= 256


def test_trace_context_is_passed_on(connection: Connection) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    seen = seen_headers(connection, f"traceparent: {parent}", "tracestate: a=b")
    assert (seen["traceparent"], seen["tracestate"]) == ([parent], ["a=b"])


OWN = ("X-Turnout-Token: forged", "x-turnout-variant: challenger", "X-TURNOUT-Shadow: 1", "x-turnout-foo: 1")


@pytest.mark.parametrize("target", ["/?do=echo", "/split?do=echo"])
def test_own_headers_of_a_client_are_removed(connection: Connection, target: str) -> None:
    seen = seen_headers(connection, *OWN, "x-turnout-force: ranker.challenger.99999999999.00", target=target)
    assert not [name for name in seen if name.startswith("x-turnout-")]


def test_own_headers_of_a_backend_are_not_trusted_as_ours(stage: Stage, connection: Connection) -> None:
    with connection:
        answer = connection.request("GET", "/?do=headers")
        assert answer.head.values("x-turnout-error") == []


def split(connection: Connection, user: str, *headers: str, path: str = "/split") -> Response:
    """One request of a user in an experiment."""
    return connection.request("GET", f"{path}?do=echo", f"X-User-Id: {user}", *headers)


def test_token_names_the_variant_that_answered(stage: Stage, connection: Connection) -> None:
    both = set()
    with connection:
        for number in range(40):
            answer = split(connection, f"user-{number}")
            text = answer.head.value("x-turnout-token")
            assert text is not None
            assert len(text) <= 120
            token = read_token(text, stage.service.key)
            assert token.experiment == "ranker"
            assert {"champion": "main", "challenger": "challenger"}[token.variant] == answer.json()["backend"]
            assert abs(token.time - time.time()) < 60
            assert answer.head.value("x-turnout-variant") is None
            both.add((token.variant, token.decision))
    assert {variant for variant, _ in both} == {"champion", "challenger"}
    assert len(both) == 40


def test_variant_is_shown_where_the_experiment_says_so(connection: Connection) -> None:
    with connection:
        answer = split(connection, "user-1", path="/shown")
        named = {"champion": "main", "challenger": "challenger"}
        assert named[answer.head.value("x-turnout-variant") or ""] == answer.json()["backend"]


def test_no_token_outside_an_experiment(connection: Connection) -> None:
    with connection:
        assert connection.request("GET", "/").head.value("x-turnout-token") is None


@pytest.mark.parametrize("variant", ["champion", "challenger"])
def test_signed_force_gives_the_variant_to_everyone(
    stage: Stage, connection: Connection, variant: str
) -> None:
    force = sign_force(stage.service.key, "ranker", variant, int(time.time()) + 60)
    with connection:
        for number in range(12):
            answer = split(connection, f"user-{number}", f"X-Turnout-Force: {force}")
            assert answer.json()["backend"] == {"champion": "main", "challenger": "challenger"}[variant]
            token = read_token(answer.head.value("x-turnout-token") or "", stage.service.key)
            assert (token.variant, token.flags & 2) == (variant, 2)


def test_force_that_is_forged_late_or_for_another_experiment_changes_nothing(
    stage: Stage, connection: Connection
) -> None:
    key, soon = stage.service.key, int(time.time()) + 60
    forces = (
        sign_force(b"k" * 32, "ranker", "challenger", soon),
        sign_force(key, "ranker", "challenger", 1),
        sign_force(key, "shown", "challenger", soon),
        sign_force(key, "ranker", "nobody", soon),
        "",
        "a.b.c.d",
        "ranker.challenger.x.00",
    )
    with connection:
        for number in range(10):
            user = f"user-{number}"
            plain = split(connection, user).json()["backend"]
            for force in forces:
                answer = split(connection, user, f"X-Turnout-Force: {force}")
                assert answer.json()["backend"] == plain
                assert read_token(answer.head.value("x-turnout-token") or "", key).flags & 2 == 0


def test_same_unit_same_variant(connection: Connection) -> None:
    with connection:
        first = [split(connection, f"u{number}").json()["backend"] for number in range(30)]
        again = [split(connection, f"u{number}").json()["backend"] for number in range(30)]
    assert first == again
