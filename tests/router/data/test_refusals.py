"""Is what could be read two ways refused, and what is too much?"""

from __future__ import annotations

import contextlib
import select

import pytest

from tests.router.data.backend import Backend
from tests.router.data.client import Connection, assert_problem, exchange, trickle
from tests.router.data.conftest import Stage
from tests.router.data.service import Service
from tests.router.data.smuggling_corpus import CORPUS, POISON, Case


def answers(raw: bytes) -> list[int]:
    """The statuses of everything that came back on one connection."""
    statuses = []
    while raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        statuses.append(int(head.split(b" ", 2)[1]))
        lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
        lengths = [int(value) for name, _, value in lines if name.lower() == b"content-length"]
        assert lengths, head
        raw = rest[lengths[0] :]
    return statuses


def check(
    service: Service, backend: Backend, raw: bytes, forwarded: tuple[str, str, bytes] | None, poisoned: bool
) -> None:
    """Send the bytes; the backend may see the one request that is allowed, or none that is whole.

    Only behind a request that may be forwarded may what follows (``poisoned``) be answered as a second one.
    """
    backend.notes.clear()
    before = len(backend.seen)
    statuses = answers(exchange(service.port, raw))
    # One more request on the same pooled connections: whatever was left there would spoil it.
    assert service.request("GET", "/sentinel").json()["target"] == "/sentinel"

    assert not backend.noted("unreadable")
    requests = [(request.method, request.target, request.body) for request in backend.seen[before:]]
    assert requests.pop()[1] == "/sentinel"
    if requests:
        assert requests[0] == forwarded
        assert statuses[0] == 200
        rest = [request[1] for request in requests[1:]]
        assert (rest, statuses[1:]) in ((["/poison"], [200]), ([], [400])) if poisoned else (rest == [])
    else:
        assert len(statuses) == 1, statuses
        assert 400 <= statuses[0] < 500 or statuses[0] in (501, 505), statuses


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_refused_or_forwarded_as_one(brief: Service, main_backend: Backend, case: Case) -> None:
    check(brief, main_backend, case.raw, case.forwarded, poisoned=False)


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_what_follows_a_refused_request_is_not_read(
    brief: Service, main_backend: Backend, case: Case
) -> None:
    check(brief, main_backend, case.raw + POISON, case.forwarded, poisoned=True)


@pytest.mark.parametrize("case", [c for c in CORPUS if len(c.raw) < 2000], ids=lambda case: case.name)
def test_same_verdict_byte_by_byte(brief: Service, case: Case) -> None:
    assert answers(trickle(brief.port, case.raw)) == answers(exchange(brief.port, case.raw))


@pytest.mark.parametrize(
    "raw",
    [
        b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
        b"GET /p HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET /p HTTP/1.1\nHost: a\n\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_refusal_is_a_problem_document_and_closes(stage: Stage, raw: bytes) -> None:
    with stage.service.connect() as connection:
        connection.send(raw)
        answer = connection.response()
        assert_problem(answer, 400)
        assert answer.head.value("connection") == "close"
        assert connection.is_closed()


def test_requests_before_a_bad_one_are_answered(stage: Stage) -> None:
    with stage.service.connect() as connection:
        connection.send(b"POST /?do=mirror HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcbad\r\n\r\n")
        assert connection.response().body == b"abc"
        assert_problem(connection.response(), 400)
        assert connection.is_closed()


def test_refusal_in_the_middle_of_a_body_cuts_the_backend_off(stage: Stage) -> None:
    stage.main.notes.clear()
    with stage.service.connect() as connection:
        connection.send(
            b"POST /?do=count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
        )
        stage.main.wait(lambda backend: "do=count" in backend.heads[-1].target)
        connection.send(b"zz\r\n")
        assert_problem(connection.response(), 400)
        assert connection.is_closed()
    stage.main.wait(lambda backend: bool(backend.noted("cut")))


def assert_refused_and_closed(connection: Connection, status: int) -> None:
    """The router's own refusal, then the end of the connection."""
    answer = connection.response()
    assert_problem(answer, status)
    assert answer.head.value("connection") == "close"
    assert connection.is_closed()


def test_header_too_long(strict: Service) -> None:
    with strict.connect() as connection:
        connection.send_request("GET", "/", "X-Long: " + "a" * 5000)
        assert_refused_and_closed(connection, 431)


def test_header_without_end(strict: Service) -> None:
    with strict.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 4500)
        assert_refused_and_closed(connection, 431)


def test_headers_too_many(strict: Service) -> None:
    with strict.connect() as connection:
        connection.send_request("GET", "/", *(f"X-{number}: 1" for number in range(30)))
        assert_refused_and_closed(connection, 431)


def test_header_within_the_limits(strict: Service) -> None:
    answer = strict.request(
        "GET", "/?q=" + "a" * 900, "X-Long: " + "a" * 2500, *(f"X-{n}: 1" for n in range(15))
    )
    assert answer.status == 200


def test_target_too_long(strict: Service) -> None:
    with strict.connect() as connection:
        connection.send_request("GET", "/" + "a" * 2000)
        assert_refused_and_closed(connection, 414)


def test_target_without_end(strict: Service) -> None:
    with strict.connect() as connection:
        connection.send(b"GET /" + b"a" * 2000)
        assert_refused_and_closed(connection, 414)


def test_body_too_long_by_its_length(strict: Service, main_backend: Backend) -> None:
    before = len(main_backend.heads)
    with strict.connect() as connection:
        connection.send_request("POST", "/", "Content-Length: 65537")
        assert_refused_and_closed(connection, 413)
    assert strict.request("GET", "/").status == 200
    assert len(main_backend.heads) == before + 1


def test_body_too_long_by_its_chunks(strict: Service, main_backend: Backend) -> None:
    before = len(main_backend.seen)
    with strict.connect() as connection:
        connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(2):
            connection.send(b"%x\r\n" % 40_000, b"a" * 40_000, b"\r\n")
        assert_refused_and_closed(connection, 413)
    assert strict.request("GET", "/").status == 200
    assert len(main_backend.seen) == before + 1


def test_body_of_just_the_limit(strict: Service) -> None:
    assert strict.request("POST", "/?do=mirror", body=b"a" * 65536).body == b"a" * 65536


@pytest.mark.parametrize("part", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nX: "])
def test_slow_header(strict: Service, part: bytes) -> None:
    with strict.connect() as connection:
        connection.send(part)
        if part:
            assert_refused_and_closed(connection, 408)
        else:
            assert b"408" in (rest := connection.rest())[:20] or rest == b""


def test_header_that_trickles_is_cut_off_all_the_same(strict: Service) -> None:
    with strict.connect() as connection:
        raw = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1000
        with contextlib.suppress(OSError):
            for at in range(len(raw)):
                connection.send(raw[at : at + 1])
                if select.select([connection.socket], [], [], 0.05)[0]:
                    break
        assert_refused_and_closed(connection, 408)


def test_body_that_stalls(strict: Service, main_backend: Backend) -> None:
    main_backend.notes.clear()
    with strict.connect() as connection:
        connection.send(b"POST /?do=count HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
        assert_refused_and_closed(connection, 408)
    main_backend.wait(lambda backend: bool(backend.noted("cut")))


def test_idle_connection_is_closed_without_a_word(strict: Service) -> None:
    with strict.connect() as connection:
        assert connection.request("GET", "/").status == 200
        assert connection.is_closed()


def test_pipelining_beyond_its_bound_waits_and_loses_nothing(strict: Service, main_backend: Backend) -> None:
    with strict.connect() as connection:
        connection.send_request("GET", "/?do=hold&gate=bound")
        for number in range(100):
            connection.send_request("POST", f"/?do=mirror&n={number}", body=b"%d" % number)
        main_backend.open("bound")
        assert connection.response().body == b"held 0"
        for number in range(100):
            assert connection.response().body == b"%d" % number


def test_head_request_that_is_refused_has_no_body(stage: Stage) -> None:
    with stage.service.connect() as connection:
        connection.send_request("HEAD", "/", "Expect: a-miracle")
        head = connection.head()
        assert head.status == 417
        if head.value("connection") == "close":
            assert connection.is_closed()
        else:
            assert connection.request("GET", "/").status == 200


def test_routes_of_the_service_itself(stage: Stage) -> None:
    with stage.service.connect() as connection:
        answer = connection.request("GET", "/_turnout/nothing")
        assert answer.status == 404
        answer = connection.request("GET", "/_turnout/health")
        assert (answer.status, answer.json()["status"]) == (200, "ok")
        answer = connection.request("GET", "/")
        assert answer.status == 200
