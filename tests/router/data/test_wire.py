"""Is every header known for what it is, however it is spelled and however many there were before?"""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.data.wire import (
    CAPTURE,
    CONNECTION,
    DROP,
    ENCODING,
    HOST,
    LENGTH,
    METHODS,
    OWN,
    PASS,
    REPEATABLE,
    REQUEST_KINDS,
    RESPONSE_KINDS,
    kind_of,
    status_line,
    tokens,
    without,
)

TOKEN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
header_names = st.text(TOKEN, min_size=1, max_size=80).map(str.encode)


def spelled(name: bytes, mask: int) -> bytes:
    """A name with some of its letters in upper case."""
    return b"".join(
        bytes([byte]).upper() if mask >> at & 1 else bytes([byte]) for at, byte in enumerate(name)
    )


@given(st.sampled_from(sorted(REQUEST_KINDS)), st.integers(0, 2**20))
def test_spelling_changes_nothing_in_a_request(name: bytes, mask: int) -> None:
    assert kind_of(dict(REQUEST_KINDS), spelled(name, mask)) == REQUEST_KINDS[name]


@given(st.sampled_from(sorted(RESPONSE_KINDS)), st.integers(0, 2**20))
def test_spelling_changes_nothing_in_an_answer(name: bytes, mask: int) -> None:
    assert kind_of(dict(RESPONSE_KINDS), spelled(name, mask)) == RESPONSE_KINDS[name]


@given(header_names)
def test_what_is_not_known_is_passed_on(name: bytes) -> None:
    kinds = dict(REQUEST_KINDS)
    expected = OWN if name.lower().startswith(b"x-turnout-") else kinds.get(name.lower(), PASS)
    assert kind_of(kinds, name) == expected
    # And the second time, when it is remembered.
    assert kind_of(kinds, name) == expected
    assert kinds.get(name, expected) == expected


@pytest.mark.parametrize("name", [b"x-turnout-token", b"X-Turnout-Force", b"X-TURNOUT-", b"x-turnout-new"])
def test_ours_are_ours_in_both_directions(name: bytes) -> None:
    assert kind_of(dict(REQUEST_KINDS), name) == OWN
    assert kind_of(dict(RESPONSE_KINDS), name) == OWN


def test_many_names_do_not_fill_the_memory_nor_change_what_is_known() -> None:
    kinds = dict(REQUEST_KINDS)
    kinds[b"x-user-id"] = CAPTURE
    for number in range(20_000):
        assert kind_of(kinds, b"x-%d" % number) == PASS
    assert len(kinds) <= 4096
    assert [
        kind_of(kinds, name) for name in (b"HOST", b"Content-Length", b"X-USER-ID", b"X-Turnout-A", b"TE")
    ] == [
        HOST,
        LENGTH,
        CAPTURE,
        OWN,
        DROP,
    ]


def test_long_names_are_not_remembered() -> None:
    kinds = dict(REQUEST_KINDS)
    before = len(kinds)
    assert kind_of(kinds, b"x-" + b"a" * 30_000) == PASS
    assert len(kinds) == before


def test_hop_by_hop_headers_are_never_passed_on() -> None:
    """Those that RFC 9110, 7.6.1, names, and what proxies have added to them."""
    names = (
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"proxy-authenticate",
        b"proxy-authorization",
    )
    for kinds in (REQUEST_KINDS, RESPONSE_KINDS):
        assert {kinds[name] for name in names} == {DROP}
        assert (kinds[b"connection"], kinds[b"transfer-encoding"]) == (CONNECTION, ENCODING)
        assert PASS not in kinds.values()


def test_only_methods_that_are_idempotent_may_be_repeated() -> None:
    assert REPEATABLE < METHODS
    assert not REPEATABLE & {b"POST", b"PATCH", b"CONNECT"}


@pytest.mark.parametrize("status", list(HTTPStatus))
def test_status_line_of_a_known_status(status: HTTPStatus) -> None:
    assert status_line(status) == f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()


@given(st.integers(100, 999))
def test_status_line_has_three_parts(status: int) -> None:
    line = status_line(status)
    assert line.startswith(b"HTTP/1.1 %d " % status)
    assert line.endswith(b"\r\n")
    assert line.count(b"\r") == line.count(b"\n") == 1


@given(
    st.lists(header_names, max_size=6), st.lists(st.sampled_from([b"", b" ", b"\t"]), min_size=2, max_size=2)
)
def test_tokens_are_the_members_of_a_list(names: list[bytes], space: list[bytes]) -> None:
    line = b",".join(space[0] + name + space[1] for name in names)
    assert tokens(line) - {b""} == {name.lower() for name in names}


@given(
    st.lists(st.tuples(header_names, st.binary(max_size=10)), max_size=8),
    st.sets(header_names.map(bytes.lower), max_size=4),
    st.integers(0, 8),
)
def test_without_drops_those_and_keeps_the_order(
    headers: list[tuple[bytes, bytes]], names: set[bytes], count: int
) -> None:
    dropped = names | {name.lower() for name, _ in headers[:count]}
    head = [part for name, value in headers for part in (name, b": ", value, b"\r\n")]
    expected = [pair for pair in headers if pair[0].lower() not in dropped]
    kept = without(head, dropped)
    assert list(zip(kept[::4], kept[2::4], strict=True)) == expected
    assert set(kept[1::4]) <= {b": "}
    assert set(kept[3::4]) <= {b"\r\n"}
