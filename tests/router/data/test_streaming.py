"""Does a large body pass through a small memory, at the pace of whoever is slower?"""

from __future__ import annotations

import fcntl
import hashlib
import select
import socket
import sys
import termios
from collections.abc import Iterator

import pytest

from tests.router.data.behaviours import PART
from tests.router.data.client import Connection
from tests.router.data.conftest import Stage
from tests.router.data.service import resident_bytes

MIB = 1024 * 1024
TOTAL = 256 * MIB
ROOM = 24 * MIB


def digest_of(total: int) -> str:
    """SHA-256 of the body that is sent in these tests."""
    digest = hashlib.sha256()
    for _ in range(total // len(PART)):
        digest.update(PART)
    return digest.hexdigest()


def send_parts(connection: Connection, worker: int, chunked: bool) -> Iterator[int]:
    """That body, in pieces; yields the worker's memory every 16 MiB."""
    for number in range(TOTAL // len(PART)):
        connection.send(b"%x\r\n%b\r\n" % (len(PART), PART) if chunked else PART)
        if number % 256 == 0:
            yield resident_bytes(worker)
    if chunked:
        connection.send(b"0\r\n\r\n")


@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
def test_upload_in_flat_memory(stage: Stage, chunked: bool) -> None:
    before = resident_bytes(stage.worker)
    with stage.service.connect(60) as connection:
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {TOTAL}"
        connection.send_request("POST", "/?do=count", framing)
        most = max(send_parts(connection, stage.worker, chunked))
        assert connection.response().body == f"{TOTAL} {digest_of(TOTAL)}".encode()
    assert max(most, resident_bytes(stage.worker)) - before < ROOM


@pytest.mark.parametrize("framing", ["sized", "chunked"])
def test_download_in_flat_memory(stage: Stage, framing: str) -> None:
    before = resident_bytes(stage.worker)
    most = before
    digest = hashlib.sha256()
    total = 0
    with stage.service.connect(60) as connection:
        connection.send_request("GET", f"/?do=stream&bytes={TOTAL}&framing={framing}")
        head = connection.head()
        sampled = 0
        while total < TOTAL:
            if framing == "sized":
                data = connection.take(len(PART))
            else:
                data = connection.take(int(connection.until(b"\r\n"), 16))
                assert connection.take(2) == b"\r\n"
            digest.update(data)
            total += len(data)
            if total - sampled > 16 * MIB:
                sampled, most = total, max(most, resident_bytes(stage.worker))
        assert head.status == 200
    assert (total, digest.hexdigest()) == (TOTAL, digest_of(TOTAL))
    assert most - before < ROOM


def test_a_slow_client_slows_the_backend(stage: Stage) -> None:
    stage.main.notes.clear()
    before = resident_bytes(stage.worker)
    with stage.service.connect(60) as connection:
        connection.send_request("GET", f"/?do=stream&bytes={TOTAL}")
        stage.main.wait(lambda backend: bool(backend.noted("stalled")))
        assert stage.main.noted("streamed") == []
        assert resident_bytes(stage.worker) - before < ROOM
        head = connection.head()
        assert (head.status, head.value("content-length")) == (200, str(TOTAL)), connection.body(head)
        for _ in range(TOTAL // MIB):
            connection.take(MIB)
    stage.main.wait(lambda backend: backend.noted("streamed") == [TOTAL])


def test_a_slow_backend_slows_the_client(stage: Stage) -> None:
    before = resident_bytes(stage.worker)
    with stage.service.connect(60) as connection:
        connection.send_request("POST", "/?do=count&gate=upload", f"Content-Length: {TOTAL}")
        sent = send_until_blocked(connection.socket, TOTAL)
        assert sent < TOTAL
        assert resident_bytes(stage.worker) - before < ROOM
        stage.main.open("upload")
        send_rest(connection, sent)
        assert connection.response().body == f"{TOTAL} {digest_of(TOTAL)}".encode()


def send_until_blocked(raw: socket.socket, total: int) -> int:
    """Send until nothing is taken for half a second; how many bytes that were."""
    raw.settimeout(0.5)
    sent = 0
    try:
        while sent < total:
            at = sent % len(PART)
            sent += raw.send(PART[at:])
    except TimeoutError:
        pass
    raw.settimeout(60)
    return sent


def send_rest(connection: Connection, sent: int) -> None:
    """The rest of the body, from a byte on."""
    while sent < TOTAL:
        part = PART[sent % len(PART) :]
        connection.send(part)
        sent += len(part)


def test_backend_is_cut_off_when_the_client_hangs_up(stage: Stage) -> None:
    stage.main.notes.clear()
    with stage.service.connect() as connection:
        connection.send_request("GET", "/?do=endless")
        assert connection.head().status == 200
        connection.take(MIB)
    stage.main.wait(lambda backend: bool(backend.noted("endless")))
    (sent,) = stage.main.noted("endless")
    assert isinstance(sent, int)
    assert sent < 64 * MIB


def test_backend_is_cut_off_when_the_client_hangs_up_before_the_answer(stage: Stage) -> None:
    stage.main.notes.clear()
    with stage.service.connect() as connection:
        connection.send_request("GET", "/?do=hang&case=gone")
        stage.main.wait(lambda backend: bool(backend.seen) and "case=gone" in backend.seen[-1].target)
    stage.main.wait(lambda backend: bool(backend.noted("hung up")))


def test_a_connection_that_was_held_back_serves_the_next_request(stage: Stage) -> None:
    # Among these sizes are some whose last bytes are the ones that find the client's buffers full.
    for number in range(64):
        size = 2 * MIB + number * 32 * 1024
        with stage.service.connect() as slow:
            slow.send_request("GET", f"/?do=stream&bytes={size}")
            wait_until_full(slow.socket)
            assert len(slow.response().body) == size
        with stage.service.connect(5) as connection:
            assert connection.request("GET", "/").status == 200, f"after {size} bytes"


def wait_until_full(raw: socket.socket) -> None:
    """Until no more bytes arrive that nobody reads."""
    waiting = -1
    while (now := int.from_bytes(fcntl.ioctl(raw, termios.FIONREAD, bytes(4)), sys.byteorder)) != waiting:
        waiting = now
        select.select([], [], [], 0.05)


def test_a_client_that_hangs_up_while_held_back_leaves_good_connections(stage: Stage) -> None:
    for number in range(10):
        stage.main.notes.clear()
        with stage.service.connect() as slow:
            slow.send_request("GET", f"/?do=stream&bytes={64 * MIB}&n={number}")
            stage.main.wait(lambda backend: bool(backend.noted("stalled")))
        with stage.service.connect(5) as connection:
            assert connection.request("GET", "/").status == 200


def test_pipelined_answers_are_held_back_for_a_client_that_does_not_read(stage: Stage) -> None:
    before = resident_bytes(stage.worker)
    stage.main.notes.clear()
    with stage.service.connect(60) as connection:
        for _ in range(3):
            connection.send_request("GET", f"/?do=stream&bytes={TOTAL // 2}")
        stage.main.wait(lambda backend: bool(backend.noted("stalled")))
        assert stage.main.noted("streamed") == []
        assert resident_bytes(stage.worker) - before < ROOM
        for _ in range(3):
            assert connection.head().status == 200
            for _ in range(TOTAL // 2 // MIB):
                connection.take(MIB)
        assert resident_bytes(stage.worker) - before < ROOM
