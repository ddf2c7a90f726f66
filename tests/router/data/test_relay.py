"""Are requests and answers relayed whole, in order, and as they come?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

import pytest

from tests.router.data.backend import Backend
from tests.router.data.behaviours import PART
from tests.router.data.client import Connection
from tests.router.data.conftest import Stage


@pytest.fixture
def connection(stage: Stage) -> Iterator[Connection]:
    with stage.service.connect() as connection:
        yield connection


def test_connection_is_kept_for_many_requests(stage: Stage, connection: Connection) -> None:
    with connection:
        for number in range(50):
            body = b"x" * number
            answer = connection.request("POST", f"/a/{number}?do=echo&n={number}", body=body)
            assert answer.status == 200
            seen = answer.json()
            assert (seen["method"], seen["target"]) == ("POST", f"/a/{number}?do=echo&n={number}")
            assert (seen["length"], seen["sha256"]) == (number, hashlib.sha256(body).hexdigest())


def test_backend_connection_is_reused(stage: Stage, connection: Connection) -> None:
    with connection:
        connection.request("GET", "/")
        before = stage.main.connections
        for _ in range(20):
            connection.request("GET", "/")
        assert stage.main.connections == before


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_methods(connection: Connection, method: str) -> None:
    with connection:
        answer = connection.request(method, "/?do=echo")
        assert answer.status == 200
        assert method == "HEAD" or answer.json()["method"] == method
        assert connection.request("GET", "/").status == 200


def test_target_is_passed_on_byte_for_byte(connection: Connection) -> None:
    target = "/a%20b/%2e%2e/c//d;x=1?do=echo&q=%C3%A4+b&r=a/b?c"
    with connection:
        assert connection.request("GET", target).json()["target"] == target


def test_http_1_0_closes(connection: Connection) -> None:
    with connection:
        answer = connection.request("GET", "/?do=echo", version="HTTP/1.0")
        assert answer.status == 200
        assert answer.json()["version"] == "HTTP/1.1"
        assert connection.is_closed()


def test_http_1_0_keeps_alive_when_asked(connection: Connection) -> None:
    with connection:
        for _ in range(3):
            answer = connection.request("GET", "/?do=echo", "Connection: keep-alive", version="HTTP/1.0")
            assert answer.status == 200
            assert (answer.head.value("connection") or "").lower() == "keep-alive"


def test_http_1_0_gets_no_chunked_body(connection: Connection) -> None:
    with connection:
        connection.send_request("GET", "/?do=chunked&n=3", "Connection: keep-alive", version="HTTP/1.0")
        head = connection.head()
        assert head.value("transfer-encoding") is None
        assert connection.rest() == b"".join(PART[: n * 7] for n in (1, 2, 3))


def test_connection_close_is_honoured(connection: Connection) -> None:
    with connection:
        answer = connection.request("GET", "/", "Connection: close")
        assert answer.status == 200
        assert (answer.head.value("connection") or "").lower() == "close"
        assert connection.is_closed()


def test_pipelined_requests_are_answered_in_order(stage: Stage, connection: Connection) -> None:
    with connection:
        connection.send_request("GET", "/?do=hold&gate=pipeline")
        for number in range(1, 20):
            connection.send_request("POST", f"/?do=mirror&n={number}", body=b"%d" % number * number)
        stage.main.open("pipeline")
        assert connection.response().body == b"held 0"
        for number in range(1, 20):
            assert connection.response().body == b"%d" % number * number


def test_pipelined_requests_in_one_segment_and_split_anywhere(connection: Connection) -> None:
    one = b"POST /?do=mirror HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    two = b"POST /?do=mirror HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with connection:
        for at in range(1, len(one + two)):
            connection.send((one + two)[:at])
            connection.send((one + two)[at:])
            assert [connection.response().body for _ in "ab"] == [b"hello", b"abc"]


@pytest.mark.parametrize("sizes", [[1], [5, 0x1234, 70_000], [1] * 300])
def test_chunked_upload(connection: Connection, sizes: list[int]) -> None:
    with connection:
        connection.send(b"POST /?do=echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for size in sizes:
            connection.send(b"%x\r\n" % size, PART[:1] * size, b"\r\n")
        connection.send(b"0\r\n\r\n")
        assert connection.response().json()["length"] == sum(sizes)
        assert connection.request("GET", "/").status == 200


def test_chunked_download(connection: Connection) -> None:
    with connection:
        answer = connection.request("GET", "/?do=chunked&n=50")
        assert answer.body == b"".join(PART[: n * 7] for n in range(1, 51))
        assert connection.request("GET", "/").status == 200


def test_empty_chunked_bodies(connection: Connection) -> None:
    with connection:
        connection.send(
            b"POST /?do=chunked&n=0 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        assert connection.response().body == b""
        assert connection.request("GET", "/").status == 200


def test_body_until_close_is_whole_and_the_client_stays(connection: Connection) -> None:
    with connection:
        assert connection.request("GET", "/?do=until_close").body == PART[:5000]
        assert connection.request("GET", "/").status == 200


def test_backend_that_speaks_http_1_0(connection: Connection) -> None:
    with connection:
        answer = connection.request("GET", "/?do=old")
        assert (answer.head.version, answer.body) == ("HTTP/1.1", b"old")


@pytest.mark.parametrize("code", [200, 201, 299, 400, 404, 418, 429, 500, 502, 503, 599])
def test_backends_answer_is_never_rewritten(connection: Connection, code: int) -> None:
    with connection:
        answer = connection.request("GET", f"/?do=status&code={code}")
        assert (answer.status, answer.body, answer.head.value("x-kept")) == (code, b"status", "yes")
        assert answer.head.value("x-turnout-error") is None


@pytest.mark.parametrize("code", [204, 304])
def test_answers_without_a_body(connection: Connection, code: int) -> None:
    with connection:
        answer = connection.request("GET", f"/?do=status&code={code}")
        assert (answer.status, answer.body) == (code, b"")
        assert answer.head.value("transfer-encoding") is None
        assert code == 304 or answer.head.value("content-length") is None
        assert connection.request("GET", "/").status == 200


def test_head_has_the_length_and_no_body(connection: Connection) -> None:
    with connection:
        answer = connection.request("HEAD", "/?do=mirror")
        assert answer.head.value("content-length") == "0"
        answer = connection.request("HEAD", "/?do=status&code=200")
        assert answer.head.value("content-length") == "6"
        assert connection.request("GET", "/").status == 200


def test_early_hints_come_before_the_answer_is_there(stage: Stage, connection: Connection) -> None:
    with connection:
        connection.send_request("GET", "/?do=hints&gate=hints")
        head = connection.head()
        assert (head.status, head.value("link")) == (103, "</a.css>; rel=preload")
        stage.main.open("hints")
        assert connection.response().body == b"after hints"


def test_early_hints_are_not_for_http_1_0(connection: Connection) -> None:
    with connection:
        connection.send_request("GET", "/?do=hints", version="HTTP/1.0")
        assert connection.head().status == 200
        assert connection.rest() == b"after hints"


def test_expect_continue(connection: Connection) -> None:
    with connection:
        connection.send(
            b"POST /?do=proceed HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.head().status == 100
        connection.send(b"hello")
        answer = connection.response()
        assert answer.json()["length"] == 5
        assert answer.interim == ()


def test_expect_continue_with_the_body_sent_at_once(connection: Connection) -> None:
    with connection:
        answer = connection.request("POST", "/?do=mirror", "Expect: 100-continue", body=b"hello")
        assert (answer.status, answer.body) == (200, b"hello")
        assert connection.request("GET", "/").status == 200


def test_expect_continue_and_a_final_answer_instead(connection: Connection) -> None:
    with connection:
        connection.send_request("POST", "/?do=decline", "Content-Length: 1000000", "Expect: 100-continue")
        assert connection.response().status == 401


def test_unknown_expectation_is_refused(connection: Connection) -> None:
    with connection:
        assert connection.request("GET", "/", "Expect: a-miracle").status == 417


def test_answer_before_the_body_is_sent_ends_the_exchange(connection: Connection) -> None:
    with connection:
        connection.send(b"POST /?do=decline HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nonly this")
        answer = connection.response()
        assert (answer.status, answer.body) == (401, b"no")
        assert connection.is_closed()


def test_server_sent_events_arrive_as_they_are_sent(stage: Stage, connection: Connection) -> None:
    with connection:
        connection.send_request("GET", "/?do=events&gate=sse")
        assert connection.head().value("content-type") == "text/event-stream"
        for number in range(3):
            stage.main.open(f"sse{number}")
            size = int(connection.until(b"\r\n"), 16)
            assert connection.take(size + 2) == b"data: event %d\n\n\r\n" % number
        assert connection.until(b"\r\n\r\n") == b"0\r\n\r\n"


def test_server_sent_events_for_http_1_0(stage: Stage, connection: Connection) -> None:
    with connection:
        connection.send_request("GET", "/?do=events&gate=oldsse", version="HTTP/1.0")
        connection.head()
        for number in range(3):
            stage.main.open(f"oldsse{number}")
            assert connection.until(b"\n\n") == b"data: event %d\n\n" % number
        assert connection.is_closed()


UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: abc", "Sec-WebSocket-Version: 13")


def test_upgrade_becomes_a_tunnel(stage: Stage, connection: Connection) -> None:
    with connection:
        connection.send_request("GET", "/?do=upgrade", *UPGRADE)
        head = connection.head()
        assert (head.status, head.value("upgrade")) == (101, "websocket")
        assert (head.value("connection") or "").lower() == "upgrade"
        assert connection.until(b"\n") == b"hello\n"
        seen = stage.main.heads[-1]
        assert seen.values("upgrade") == ["websocket"]
        assert [value.lower() for value in seen.values("connection")] == ["upgrade"]
        assert seen.values("sec-websocket-key") == ["abc"]
        for number in range(20):
            connection.send(b"GET / HTTP/1.1 %d\n" % number)
            assert connection.until(b"\n") == b"GET / HTTP/1.1 %d\n" % number
        connection.send(b"bye\n")
        assert connection.is_closed()


def test_tunnel_closes_at_the_backend_when_the_client_goes(stage: Stage, connection: Connection) -> None:
    with connection:
        connection.send_request("GET", "/?do=upgrade", *UPGRADE)
        assert connection.head().status == 101
        number = stage.main.heads[-1].connection
    stage.main.wait(lambda backend: number in backend.noted("closed"))


def test_refused_upgrade_is_an_ordinary_answer(connection: Connection) -> None:
    with connection:
        answer = connection.request("GET", "/?do=echo", *UPGRADE)
        assert answer.status == 200
        assert connection.request("GET", "/").status == 200


def has_seen(heads: int, backend: Backend) -> bool:
    """Whether the backend has read so many heads."""
    return len(backend.heads) >= heads


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
@pytest.mark.parametrize("pieces", [1, 4])
@pytest.mark.parametrize("chunked", [False, True])
def test_the_body_of_a_request_for_another_protocol_is_relayed(
    stage: Stage, connection: Connection, protocol: str, pieces: int, chunked: bool
) -> None:
    body = PART[:40_000]
    size = len(body) // pieces
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    with connection:
        for number in range(2):
            seen = len(stage.main.heads)
            connection.send_request(
                "POST", f"/?do=mirror&n={number}", "Connection: Upgrade", f"Upgrade: {protocol}", framing
            )
            for at, part in enumerate(parts):
                if pieces > 1 and at == 1:
                    stage.main.wait(partial(has_seen, seen + 1))
                connection.send(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            if chunked:
                connection.send(b"0\r\n\r\n")
            answer = connection.response("POST")
            assert (answer.status, answer.body) == (200, body)
            assert "upgrade" not in dict(stage.main.heads[-1].headers)
        assert connection.request("GET", "/").status == 200


def test_many_requests_for_other_protocols_are_answered_in_order(connection: Connection) -> None:
    raw = [
        b"GET /?do=mirror&n=%d HTTP/1.1\r\nHost: m\r\nConnection: upgrade\r\nUpgrade: h2c\r\n"
        b"X-Request-Id: %d\r\nX-Long: %b\r\n\r\n" % (number, number, b"a" * 1000)
        for number in range(60)
    ]
    with connection:
        connection.send(*raw)
        for number in range(len(raw)):
            answer = connection.response("GET")
            assert (answer.status, answer.head.value("x-request-id")) == (200, str(number))


@pytest.mark.parametrize("kind", ["echo", "mirror"])
def test_large_head_and_body_together(connection: Connection, kind: str) -> None:
    body = PART * 20
    with connection:
        answer = connection.request("POST", f"/?do={kind}", "X-Long: " + "a" * 20_000, body=body)
        assert answer.status == 200
        if kind == "mirror":
            assert answer.body == body
        else:
            assert answer.json()["sha256"] == hashlib.sha256(body).hexdigest()
