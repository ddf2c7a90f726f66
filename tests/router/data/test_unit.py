"""Is the unit found where the configuration says, and nowhere else?"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.assignment import LONGEST_UNIT
from router.data.unit import Extractor, captures, extractor, needs_body
from router.data.wire import CAPTURE, REQUEST_KINDS, kind_of
from router.settings import UnitSource

HEADER = UnitSource(header="X-User-Id")
COOKIE = UnitSource(cookie="uid")
QUERY = UnitSource(query="user")
JSON = UnitSource(json="/user/id")


@dataclass
class Request:
    """A request's parts, as a connection has read them."""

    captured: dict[int, bytes] = field(default_factory=dict)
    target: bytes = b"/"
    body: list[bytes] = field(default_factory=list)


class Reader:
    """What `extractor` makes of some sources, with the header numbers that `captures` gave."""

    def __init__(self, *sources: UnitSource, prefix: int = 65536) -> None:
        self.kinds = dict(REQUEST_KINDS)
        captures(sources, self.kinds)
        self.read: Extractor = extractor(sources, self.kinds, prefix)

    def __call__(
        self, headers: dict[bytes, bytes] | None = None, target: bytes = b"/", body: bytes | list[bytes] = b""
    ) -> bytes | None:
        captured: dict[int, bytes] = {}
        for name, value in (headers or {}).items():
            kind = kind_of(self.kinds, name)
            if kind >= CAPTURE:
                captured.setdefault(kind, value)
        return self.read(Request(captured, target, [body] if isinstance(body, bytes) else body))


# -- header -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [b"x-user-id", b"X-User-Id", b"X-USER-ID"])
def test_header_in_any_spelling(name: bytes) -> None:
    assert Reader(HEADER)({name: b" u-1 "}) == b"u-1"


@pytest.mark.parametrize("value", [b"", b" ", b" \t"])
def test_empty_header_is_no_unit(value: bytes) -> None:
    assert Reader(HEADER)({b"x-user-id": value}) is None
    assert Reader(HEADER, QUERY)({b"x-user-id": value}, b"/?user=u-2") == b"u-2"


def test_no_header_is_no_unit() -> None:
    assert Reader(HEADER)({b"x-user": b"u-1"}) is None


def test_a_header_that_the_router_handles_cannot_be_a_unit() -> None:
    with pytest.raises(ValueError, match="host"):
        captures([UnitSource(header="Host")], dict(REQUEST_KINDS))


def test_each_header_has_a_number_of_its_own() -> None:
    kinds = dict(REQUEST_KINDS)
    sources = [HEADER, COOKIE, UnitSource(header="x-other"), UnitSource(cookie="other"), QUERY]
    captures(sources, kinds)
    captures(sources, kinds)
    numbers = {kinds[name] for name in (b"x-user-id", b"cookie", b"x-other")}
    assert len(numbers) == 3
    assert min(numbers) >= CAPTURE
    assert set(kinds) - set(REQUEST_KINDS) == {b"x-user-id", b"cookie", b"x-other"}


# -- cookie -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "unit"),
    [
        (b"uid=u-1", b"u-1"),
        (b"a=b; uid=u-1; c=d", b"u-1"),
        (b"a=b;uid=u-1", b"u-1"),
        (b'uid="u-1"', b"u-1"),
        (b"uid=a=b", b"a=b"),
        (b"uid=first; uid=second", b"first"),
        (b"xuid=u-1", None),
        (b"uidx=u-1", None),
        (b"UID=u-1", None),
        (b"uid", None),
        (b"uid=", None),
        (b'uid=""', None),
        (b"", None),
        (b";;=;", None),
    ],
)
def test_cookie(line: bytes, unit: bytes | None) -> None:
    assert Reader(COOKIE)({b"cookie": line}) == unit


# -- query ------------------------------------------------------------------------------------------------


@given(
    st.text(min_size=1, max_size=40),
    st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=3),
)
def test_query_as_anybody_writes_it(unit: str, before: list[tuple[str, str]]) -> None:
    others = [(name, value) for name, value in before if name != "user"]
    target = "/v1?" + urlencode([*others, ("user", unit), ("user", "second")], errors="surrogatepass")
    assert Reader(QUERY)(target=target.encode()) == unit.encode("utf-8", "surrogatepass")


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_query_name_may_be_escaped(name: str, value: str) -> None:
    reader = Reader(UnitSource(query=name))
    escaped = quote(name, safe=""), quote(value, safe="", errors="surrogatepass")
    assert reader(target="/?{}={}".format(*escaped).encode()) == value.encode("utf-8", "surrogatepass")


def test_query_name_with_a_space_as_forms_write_it() -> None:
    assert Reader(UnitSource(query="the user"))(target=f"/?{quote_plus('the user')}=1".encode()) == b"1"


@pytest.mark.parametrize(
    "target", [b"/", b"/?", b"/?user", b"/?user=", b"/?xuser=1&userx=2", b"/user=1", b"/?User=1"]
)
def test_no_query_parameter_is_no_unit(target: bytes) -> None:
    assert Reader(QUERY)(target=target) is None


# -- json -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("u-1", b"u-1"),
        ("é", "é".encode()),
        (7, b"7"),
        (-7, b"-7"),
        (0, b"0"),
        (10**29, b"1" + b"0" * 29),
        ("", None),
        (7.5, None),
        (True, None),
        (False, None),
        (None, None),
        ([1], None),
        ({"a": 1}, None),
    ],
)
def test_json_value(value: Any, unit: bytes | None) -> None:
    assert Reader(JSON)(body=json.dumps({"user": {"id": value}}).encode()) == unit


@given(st.text(min_size=1), st.integers(0, 200))
def test_any_json_text_is_a_unit(value: str, cut: int) -> None:
    """Also a lone surrogate, which JSON's escapes allow and UTF-8 does not."""
    document = json.dumps({"user": {"id": value}, "rest": "x" * 100}).encode()
    unit = Reader(JSON, prefix=max(1, len(document) - cut))(body=document)
    assert unit in (value.encode("utf-8", "surrogatepass")[:LONGEST_UNIT], None)
    if cut < 100:
        assert unit is not None


@given(st.binary(max_size=300))
def test_no_body_raises(body: bytes) -> None:
    Reader(JSON)(body=body)
    Reader(JSON)(body=b'{"user":{"id":"' + body + b'"}}')


@given(st.integers(1, 40), st.integers(1, 120))
def test_json_does_not_depend_on_how_the_body_arrived(size: int, prefix: int) -> None:
    document = b'{"first": [1, 2], "user": {"id": "u-1", "x": 1}, "rest": "0123456789012345678901234567890"}'
    pieces = [document[at : at + size] for at in range(0, len(document), size)]
    reader = Reader(JSON, prefix=prefix)
    assert reader(body=pieces) == reader(body=document) == reader(body=document[:prefix])


def test_json_behind_the_prefix_is_not_read() -> None:
    document = b'{"pad": "' + b"x" * 100 + b'", "user": {"id": "u-1"}}'
    assert Reader(JSON, prefix=100)(body=document) is None
    assert Reader(JSON, prefix=200)(body=document) == b"u-1"


@pytest.mark.parametrize(
    ("pointer", "document"),
    [
        ("/a~1b", {"a/b": "u"}),
        ("/m~0n", {"m~n": "u"}),
        ("/~01", {"~1": "u"}),
        ("/", {"": "u"}),
        ("/a/1", {"a": [0, "u"]}),
    ],
)
def test_pointer_as_rfc_6901_reads_it(pointer: str, document: Any) -> None:
    assert Reader(UnitSource(json=pointer))(body=json.dumps(document).encode()) == b"u"


def test_who_needs_a_body() -> None:
    assert needs_body([HEADER, JSON])
    assert not needs_body([HEADER, COOKIE, QUERY])


# -- several ----------------------------------------------------------------------------------------------


def test_the_first_that_is_present() -> None:
    reader = Reader(HEADER, COOKIE, JSON, QUERY)
    body = b'{"user": {"id": "from-json"}}'
    everything = {b"x-user-id": b"from-header", b"cookie": b"uid=from-cookie"}
    assert reader(everything, b"/?user=from-query", body) == b"from-header"
    del everything[b"x-user-id"]
    assert reader(everything, b"/?user=from-query", body) == b"from-cookie"
    assert reader({}, b"/?user=from-query", body) == b"from-json"
    assert reader({}, b"/?user=from-query") == b"from-query"
    assert reader({}) is None


def test_a_unit_is_cut_at_its_longest_wherever_it_stands() -> None:
    long = b"1" * 4000
    reader = Reader(HEADER)
    expected = long[:LONGEST_UNIT]
    assert reader({b"x-user-id": long}) == expected
    assert Reader(COOKIE)({b"cookie": b"uid=" + long}) == expected
    assert Reader(QUERY)(target=b"/?user=" + long) == expected
    assert Reader(JSON)(body=b'{"user":{"id":"' + long + b'"}}') == expected
    assert Reader(JSON)(body=b'{"user":{"id":' + long + b"}}") == expected
