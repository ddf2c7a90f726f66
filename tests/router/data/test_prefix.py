"""Is a value found in a part of a document only if it is the whole document's?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.data.prefix import value_at

# Names that look alike when escapes are not read, and names that are indexes.
names = (
    st.sampled_from(
        ["", "a", "b", "ab", "0", "1", "01", "/", "~", '"', "\\", "é", "\u2028", "😀", "{", "}:["]
    )
    | st.text()
)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(10**18, 10**30)
documents = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)
written = st.builds(
    lambda document, indent, ascii_only, spaces: json.dumps(
        document,
        indent=indent,
        ensure_ascii=ascii_only,
        separators=(" , ", " :\t") if spaces else None,
    ).encode(),
    documents,
    st.sampled_from([None, 0, 1]),
    st.booleans(),
    st.booleans(),
)


def pointers(value: Any) -> Iterator[tuple[str, ...]]:
    """The steps to every value in a document but the document itself."""
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, member in members:
        yield (str(name),)
        for rest in pointers(member):
            yield (str(name), *rest)


def naive(value: Any, steps: Sequence[str]) -> Any:
    """What the standard library's reading has there; None where it has nothing."""
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step in map(str, range(len(value))):
            value = value[int(step)]
        else:
            return None
    return value


def same(found: object, expected: object) -> bool:
    """Equal, and no number or truth value taken for another."""
    return json.dumps(found) == json.dumps(expected)


@given(written, st.lists(names, min_size=1, max_size=3))
def test_whole_document(document: bytes, elsewhere: list[str]) -> None:
    whole = json.loads(document)
    for steps in [*pointers(whole), tuple(elsewhere)]:
        assert same(value_at(document, steps), naive(whole, steps))


@given(written, st.data())
@example(b'{"a":12.5}', None)
@example(b'{"a":12e5}', None)
@example(b'{"a":-0.5}', None)
@example(b'{"a":{"b":1},"c":true}', None)
@example('{"é":"\u20ac\U0001f600","\\u00e9x":"\\ud83d\\ude00"}'.encode(), None)
def test_every_cut_gives_the_documents_value_or_none(document: bytes, data: st.DataObject | None) -> None:
    whole = json.loads(document)
    known = list(pointers(whole))
    if not known:
        return
    some = known if data is None else [data.draw(st.sampled_from(known))]
    for steps in some:
        for cut in range(len(document)):
            found = value_at(document[:cut], steps)
            assert found is None or same(found, naive(whole, steps)), (document[:cut], steps)


@given(written)
def test_what_is_whole_before_the_cut_is_found(document: bytes) -> None:
    """A cut behind a member's end: text, arrays and objects are found, and numbers that something follows."""
    body = b'{"unit": ' + document + b' , "rest": "' + b"x" * 20
    assert same(value_at(body, ["unit"]), json.loads(document))


@given(written, st.lists(names, min_size=1, max_size=3))
def test_what_is_not_there_is_none_at_every_cut(document: bytes, steps: list[str]) -> None:
    whole = json.loads(document)
    if naive(whole, steps) is None:
        for cut in range(len(document)):
            assert value_at(document[:cut], steps) is None


@given(st.binary(), st.lists(st.text(), min_size=1, max_size=3))
@example(b"", [""])
@example(b'{"a":"\xff"}', ["a"])
@example(b'{"a":"\\ud800"}', ["a"])
@example(b"[1,2", ["\u0661"])
def test_no_bytes_raise(document: bytes, steps: list[str]) -> None:
    value_at(document, steps)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":['])
@pytest.mark.parametrize("closed", [True, False])
def test_nesting_beyond_all_measure_is_nothing(opening: bytes, closed: bool) -> None:
    depth = 60_000 // len(opening)
    closing = b"]" if opening == b"[" else b"}" if opening == b'{"a":' else b"]}]"
    document = opening * depth + (b"1" + closing * depth if closed else b"")
    assert value_at(document, ["a"]) is None
    assert value_at(document, ["0", "a", "0"]) is None


def test_a_value_before_deep_nesting_is_found() -> None:
    assert value_at(b'{"user":"u-1","rest":' + b"[" * 60_000, ["user"]) == "u-1"


def test_a_name_that_stands_twice() -> None:
    """The last one counts, as for most readers; where the last may be behind the cut, the first does."""
    document = b'{"a": 1, "a": 2, "b": {"c": 3}, "b": {}}'
    assert value_at(document, ["a"]) == 2
    assert value_at(document, ["b", "c"]) is None
    assert value_at(document[:-1], ["a"]) == 1
    assert value_at(document[:-1], ["b", "c"]) == 3


def test_bytes_that_are_not_utf8_stay_apart() -> None:
    values = {value_at(b'{"a":"' + bytes([byte]) + b'"}', ["a"]) for byte in range(0x80, 0x100)}
    assert len(values) == 128
    assert None not in values


@pytest.mark.parametrize("step", ["01", "00", "-1", "+1", " 1", "1 ", "1.0", "\u0661", "", "9" * 5000])
def test_an_index_is_written_in_one_way(step: str) -> None:
    assert value_at(b"[[1, 2], 3]", ["0", step]) is None
    assert value_at(b"[[1, 2], 3", ["0", step]) is None


@pytest.mark.parametrize(
    "document", [b'{"a" 1}', b'{"a": }', b"{1: 2}", b"[1 2", b"nul", b'"a', b"{,}", b"}", b"]"]
)
def test_what_is_no_json_has_no_values(document: bytes) -> None:
    assert value_at(document, ["a"]) is None
    assert value_at(document, ["a", "b"]) is None
