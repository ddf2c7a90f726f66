"""Which connection and which address does a request get, what is repeated, and what is given up when?"""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.router.data.backend import Backend
from tests.router.data.client import Connection, assert_problem
from tests.router.data.service import Service, free_port, serving, until


@pytest.fixture(scope="module")
def twin_backend() -> Iterator[Backend]:
    backend = Backend("twin")
    yield backend
    backend.stop()


@pytest.fixture(scope="module")
def deaf_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that a connection is neither made nor refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield address[1]


@pytest.fixture(scope="module")
def service(
    main_backend: Backend, twin_backend: Backend, deaf_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    url, twin = main_backend.url, twin_backend.url
    dead = f"http://127.0.0.1:{free_port()}"
    config = {
        "backends": {
            "plain": {"url": url},
            "small": {"url": url, "max_connections": 2, "max_waiting": 2, "wait_timeout": "10s"},
            "hasty": {"url": url, "max_connections": 1, "max_waiting": 8, "wait_timeout": "300ms"},
            "slow": {"url": url, "first_byte_timeout": "500ms"},
            "total": {"url": url, "timeout": "500ms"},
            "deaf": {"url": f"http://127.0.0.1:{deaf_port}", "connect_timeout": "300ms"},
            "dead": {"url": dead},
            "half": {"url": [dead, url]},
            "pair": {"url": [url, twin], "set_aside": "1s"},
        },
        "routes": [
            *({"path": f"/{name}", "backend": name} for name in ("plain", "small", "hasty", "slow", "total")),
            *({"path": f"/{name}", "backend": name} for name in ("deaf", "dead", "half", "pair")),
            {"path": "/repeatable", "backend": "plain", "repeatable": True},
        ],
    }
    with serving(config, tmp_path_factory.mktemp("pool")) as running:
        yield running


@pytest.fixture
def connection(service: Service) -> Iterator[Connection]:
    with service.connect() as connection:
        yield connection


def attempts(backend: Backend, case: str) -> int:
    """How often the backend was sent a request of this case."""
    return sum(f"case={case}" in head.target for head in backend.heads)


# -- what is repeated -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
@pytest.mark.parametrize("do", ["close", "reset"])
def test_repeatable_request_is_sent_once_more(
    main_backend: Backend, connection: Connection, method: str, do: str
) -> None:
    case = f"repeat-{method}-{do}"
    connection.send_request(method, f"/plain?do={do}&case={case}")
    head = connection.head()
    assert (head.status, head.value("x-turnout-error")) == (502, "backend-closed")
    assert attempts(main_backend, case) == 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("do", ["close", "reset"])
def test_other_requests_are_not_repeated(
    main_backend: Backend, connection: Connection, method: str, do: str
) -> None:
    case = f"once-{method}-{do}"
    answer = connection.request(method, f"/plain?do={do}&case={case}", body=b"pay 5")
    assert_problem(answer, 502, "backend-closed")
    assert attempts(main_backend, case) == 1


def test_route_may_declare_its_requests_repeatable(main_backend: Backend, connection: Connection) -> None:
    answer = connection.request("POST", "/repeatable?do=close&case=declared", body=b"classify this")
    assert_problem(answer, 502, "backend-closed")
    assert attempts(main_backend, "declared") == 2


def test_repeated_request_has_its_body_again(main_backend: Backend, connection: Connection) -> None:
    before = len(main_backend.seen)
    connection.request("PUT", "/plain?do=close&case=body", body=b"all of it")
    bodies = [seen.body for seen in main_backend.seen[before:] if "case=body" in seen.target]
    assert bodies == [b"all of it", b"all of it"]


@pytest.mark.parametrize("do", ["cut_head", "bad&kind=garbage"])
def test_nothing_is_repeated_after_the_answers_first_byte(
    main_backend: Backend, connection: Connection, do: str
) -> None:
    case = f"begun-{do[:3]}"
    assert_problem(connection.request("GET", f"/plain?do={do}&case={case}"), 502)
    assert attempts(main_backend, case) == 1


@pytest.mark.parametrize("framing", ["sized", "chunked"])
def test_answer_that_is_cut_is_seen_to_be_cut(
    main_backend: Backend, connection: Connection, framing: str
) -> None:
    case = f"cut-{framing}"
    connection.send_request("GET", f"/plain?do=cut_body&framing={framing}&case={case}")
    head = connection.head()
    rest = connection.rest()
    assert head.status == 200
    if framing == "sized":
        assert len(rest) < int(head.value("content-length") or 0)
    else:
        assert not rest.endswith(b"0\r\n\r\n")
    assert attempts(main_backend, case) == 1


# -- what may not be relayed ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["garbage", "both", "lengths", "length", "nul", "fold", "status", "version"])
def test_answer_that_could_be_read_two_ways_is_not_relayed(connection: Connection, kind: str) -> None:
    assert_problem(connection.request("POST", f"/plain?do=bad&kind={kind}"), 502)
    assert connection.request("GET", "/plain").status == 200


def test_answer_with_a_monstrous_head_is_not_relayed(connection: Connection) -> None:
    assert_problem(connection.request("POST", "/plain?do=big_head&bytes=900000"), 502)
    assert connection.request("GET", "/plain?do=big_head&bytes=30000").status == 200


@pytest.mark.parametrize("gate", ["", "&gate=late"])
def test_second_answer_to_one_request_reaches_nobody(
    main_backend: Backend, connection: Connection, gate: str
) -> None:
    for number in range(10):
        case = f"poison-{number}{gate}"
        assert (
            connection.request("GET", f"/plain?do=extra&case={case.replace('&', '-')}{gate}").body == b"mine"
        )
        closed = len(main_backend.noted("closed"))
        main_backend.open("late")
        main_backend.wait(lambda backend, case=case: case.replace("&", "-") in backend.noted("poisoned"))
        # What was sent may still be on its way: the router has seen it when it has closed the connection.
        main_backend.wait(lambda backend, closed=closed: len(backend.noted("closed")) > closed)
        for _ in range(5):
            assert connection.request("POST", "/plain?do=mirror", body=b"yours").body == b"yours"
        main_backend.close("late")


# -- connections ------------------------------------------------------------------------------------------


def test_idle_connection_that_closed_is_noticed(main_backend: Backend, connection: Connection) -> None:
    for number in range(100):
        assert connection.request("POST", "/plain", body=b"x").status == 200
        main_backend.hang_up()
        answer = connection.request("POST", "/plain", body=b"x")
        assert answer.status == 200, f"round {number}: {answer.body!r}"


def test_bound_holds_and_those_who_wait_are_served(service: Service, main_backend: Backend) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(service.connect()) for _ in range(4)]
        for number, client in enumerate(clients):
            client.send_request("GET", f"/small?do=hold&gate=small&case=small-{number}")
            expected = min(number + 1, 2)
            main_backend.wait(lambda backend, n=expected: attempts(backend, "small-") == n)
        refused = until(lambda: overflow(service), "a fifth request is refused")
        assert refused == "pool-full"
        assert attempts(main_backend, "small-") == 2
        main_backend.open("small")
        assert [client.response().body for client in clients] == [b"held 0"] * 4


def overflow(service: Service) -> str | None:
    """The reason for which one more request is refused, once the queue is full."""
    with service.connect(0.3) as connection:
        connection.send_request("GET", "/small?do=hold&gate=small&case=over")
        try:
            answer = connection.response()
        except TimeoutError:
            return None
        assert_problem(answer, 503)
        assert answer.head.value("retry-after")
        return answer.head.value("x-turnout-error")


def test_wait_is_bounded_in_time(service: Service, main_backend: Backend) -> None:
    with service.connect() as first, service.connect() as second:
        first.send_request("GET", "/hasty?do=hold&gate=hasty&case=hasty")
        main_backend.wait(lambda backend: attempts(backend, "hasty") == 1)
        answer = second.request("GET", "/hasty")
        assert_problem(answer, 503, "pool-timeout")
        assert answer.head.value("retry-after")
        main_backend.open("hasty")
        assert first.response().status == 200
        assert second.request("GET", "/hasty").status == 200


def test_client_that_hangs_up_gives_its_place_back(service: Service, main_backend: Backend) -> None:
    for number in range(6):
        with service.connect() as client:
            client.send_request("GET", f"/hasty?do=endless&case=gone-{number}")
            assert client.head().status == 200
    with service.connect() as client:
        until(lambda: client.request("GET", "/hasty").status == 200, "the one connection is free again")


# -- time limits ------------------------------------------------------------------------------------------


def test_first_byte_timeout(main_backend: Backend, connection: Connection) -> None:
    answer = connection.request("GET", "/slow?do=hang&case=first-byte")
    assert_problem(answer, 504, "first-byte-timeout")
    assert attempts(main_backend, "first-byte") == 1
    assert connection.request("GET", "/slow").status == 200


def test_first_byte_timeout_is_about_the_backend_and_not_about_a_slow_upload(connection: Connection) -> None:
    connection.send_request("POST", "/slow?do=mirror", "Content-Length: 10")
    connection.socket.settimeout(0.12)
    for _ in range(9):
        connection.send(b"x")
        with contextlib.suppress(TimeoutError):
            connection.read_more()
    connection.socket.settimeout(10)
    connection.send(b"x")
    assert connection.response().body == b"x" * 10


def test_total_timeout_before_the_answer(connection: Connection) -> None:
    assert_problem(connection.request("POST", "/total?do=hang", body=b"x"), 504)
    assert connection.request("GET", "/total").status == 200


def test_total_timeout_within_the_answer_cuts_it(main_backend: Backend, connection: Connection) -> None:
    main_backend.notes.clear()
    connection.send_request("GET", "/total?do=hang_in_body")
    head = connection.head()
    assert head.status == 200
    assert connection.rest() == b"part"
    main_backend.wait(lambda backend: bool(backend.noted("hung up")))


def test_answer_may_take_longer_than_its_first_byte(main_backend: Backend, connection: Connection) -> None:
    connection.send_request("GET", "/slow?do=events&gate=patient")
    assert connection.head().status == 200
    connection.socket.settimeout(1)
    with pytest.raises(TimeoutError):
        connection.read_more()
    connection.socket.settimeout(15)
    for number in range(3):
        main_backend.open(f"patient{number}")
    assert connection.chunks() == [b"data: event %d\n\n" % number for number in range(3)]


def test_connection_that_is_not_accepted(connection: Connection) -> None:
    assert_problem(connection.request("POST", "/deaf", body=b"x"), 504, "connect-timeout")


def test_connection_that_is_refused(connection: Connection) -> None:
    assert_problem(connection.request("POST", "/dead", body=b"x"), 502, "connect-failed")


# -- several addresses ------------------------------------------------------------------------------------


def test_request_of_which_nothing_was_sent_goes_to_another_address(connection: Connection) -> None:
    for number in range(20):
        answer = connection.request("POST", f"/half?do=mirror&n={number}", body=b"once")
        assert (answer.status, answer.body) == (200, b"once")


def test_address_with_the_fewest_requests_is_chosen(
    service: Service, main_backend: Backend, twin_backend: Backend
) -> None:
    backends = (main_backend, twin_backend)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(service.connect()) for _ in range(10)]
        for number, client in enumerate(clients, 1):
            client.send_request("GET", "/pair?do=hold&gate=pair&case=fewest")
            until(lambda n=number: sum(attempts(b, "fewest") for b in backends) == n, "it has arrived")
        assert [attempts(backend, "fewest") for backend in backends] == [5, 5]
        # With one address busy, all new requests go to the other.
        for backend in backends:
            backend.open("pair")
        assert [client.response().status for client in clients] == [200] * 10
        holder = clients[0]
        holder.send_request("GET", "/pair?do=hold&gate=later&case=busy")
        until(lambda: sum(attempts(b, "busy") for b in backends) == 1, "it has arrived")
        (busy,) = [b for b in backends if attempts(b, "busy")]
        for _ in range(10):
            clients[1].request("GET", "/pair?case=free")
        assert attempts(busy, "free") == 0
        busy.open("later")
        assert holder.response().status == 200


@pytest.fixture
def busy_main(service: Service, main_backend: Backend, twin_backend: Backend) -> Iterator[None]:
    """One request is held at ``main``, so that ``twin`` has the fewest; faults are taken back afterwards."""
    backends = (main_backend, twin_backend)
    for number in count():
        gate = f"busy-{number}"
        with service.connect() as first, service.connect() as second:
            for held, client in enumerate((first, second), 1):
                client.send_request("GET", f"/pair?do=hold&gate={gate}&case={gate}")
                until(lambda held=held, gate=gate: sum(attempts(b, gate) for b in backends) == held, "held")
            # Both at one address: the other is still set aside from an earlier test.
            apart = attempts(main_backend, gate) == 1
            twin_backend.open(gate)
            if apart:
                until(lambda: select.select([first.socket, second.socket], [], [], 0)[0], "twin has none")
                yield
            main_backend.open(gate)
            main_backend.fault = twin_backend.fault = None
            assert (first.response().status, second.response().status) == (200, 200)
        for backend in backends:
            backend.heads.clear()
            backend.close(gate)
        if apart:
            return


def post(connection: Connection, case: str) -> int:
    """The status of one more request that is not repeatable."""
    return connection.request("POST", f"/pair?case={case}", body=b"x").status


@pytest.mark.usefixtures("busy_main")
def test_fifth_failure_in_a_row_sets_an_address_aside_for_a_while(
    connection: Connection, twin_backend: Backend
) -> None:
    twin_backend.fault = "close"
    assert [post(connection, "aside") for _ in range(30)] == [502] * 5 + [200] * 25
    assert attempts(twin_backend, "aside") == 5
    twin_backend.fault = None
    until(lambda: post(connection, "back") and attempts(twin_backend, "back"), "the address is used again")


@pytest.mark.usefixtures("busy_main")
def test_failures_that_are_not_in_a_row_set_nothing_aside(
    connection: Connection, twin_backend: Backend
) -> None:
    for _ in range(3):
        twin_backend.fault = "close"
        assert [post(connection, "row") for _ in range(4)] == [502] * 4
        twin_backend.fault = None
        assert post(connection, "row") == 200
    assert attempts(twin_backend, "row") == 15


@pytest.mark.usefixtures("busy_main")
def test_last_address_is_never_set_aside(
    connection: Connection, main_backend: Backend, twin_backend: Backend
) -> None:
    main_backend.fault = twin_backend.fault = "close"
    assert [post(connection, "last") for _ in range(30)] == [502] * 30
    assert attempts(main_backend, "last") + attempts(twin_backend, "last") == 30
    main_backend.fault = twin_backend.fault = None
    assert post(connection, "last") == 200


@pytest.mark.usefixtures("busy_main")
def test_errors_that_a_backend_answers_set_nothing_aside(
    connection: Connection, twin_backend: Backend
) -> None:
    for _ in range(30):
        assert connection.request("GET", "/pair?do=status&code=500&case=errors").status == 500
    assert attempts(twin_backend, "errors") == 30


def test_all_addresses_get_some_of_a_light_load(
    connection: Connection, main_backend: Backend, twin_backend: Backend
) -> None:
    until(lambda: post(connection, "light") and attempts(main_backend, "light"), "main is used")
    until(lambda: post(connection, "light") and attempts(twin_backend, "light"), "twin is used")


def test_log_has_no_unexpected_error(service: Service) -> None:
    assert "Traceback" not in Path(service.log).read_text()
