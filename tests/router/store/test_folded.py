"""Is what was folded exactly what there was, and what cannot be read said to be so?"""

from __future__ import annotations

import struct
from itertools import chain
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.assignment import POSITIONS
from router.errors import TurnoutError
from router.store import layout
from router.store.folded import (
    MOST_BITMAP,
    Folded,
    added,
    decode,
    encode,
    pack,
    periods_together,
    unpack_whole,
    width,
    with_units,
)

KINDS = {layout.COUNT_TYPE: "q", layout.CELL_TYPE: "I", layout.SUM_TYPE: "d"}
positions = st.lists(st.integers(0, POSITIONS - 1), max_size=50)
wholes = st.lists(st.integers(-(2**40), 2**40), max_size=30)


def bitmap(marked: list[int]) -> bytes:
    """As Redis keeps it: the first position is the highest bit, and it ends where nothing follows."""
    found = bytearray(max(marked, default=-1) // 8 + 1)
    for position in marked:
        found[position >> 3] |= 128 >> (position & 7)
    return bytes(found)


def numbers(values: list[int], code: str = "q") -> bytes:
    return struct.pack(f">{len(values)}{code}", *values)


@given(st.binary(max_size=400), st.sampled_from([4, 8]))
def test_what_is_packed_is_the_same_unpacked(content: bytes, size: int) -> None:
    whole = content[: len(content) // size * size]
    assert unpack_whole(pack(whole, size)).ljust(len(whole), b"\0") == whole


@pytest.mark.parametrize("kind", KINDS)
def test_an_array_that_is_nearly_empty_costs_next_to_nothing(kind: str) -> None:
    empty = bytearray(1024 * width(kind))
    empty[17 * width(kind) + width(kind) - 1] = 3
    assert len(pack(bytes(empty), width(kind))) < 50


@given(wholes, wholes)
def test_arrays_add_up_number_by_number(one: list[int], other: list[int]) -> None:
    size = max(len(one), len(other))
    expected = [
        a + b for a, b in zip(*(each + [0] * (size - len(each)) for each in (one, other)), strict=True)
    ]
    assert added(numbers(one), numbers(other), layout.COUNT_TYPE) == numbers(expected)
    assert added(numbers(other), numbers(one), layout.COUNT_TYPE) == numbers(expected)


def test_sums_add_as_doubles_and_counts_stay_at_the_largest() -> None:
    one, other = struct.pack(">2d", 0.1, 1e300), struct.pack(">d", 0.2)
    assert added(one, other, layout.SUM_TYPE) == struct.pack(">2d", 0.1 + 0.2, 1e300)
    for kind, most in ((layout.CELL_TYPE, 2**32 - 1), (layout.COUNT_TYPE, 2**63 - 1)):
        whole = numbers([most - 1, 5], KINDS[kind])
        assert added(whole, whole, kind) == numbers([most, 10], KINDS[kind])


@given(st.lists(positions, max_size=5), st.booleans())
def test_units_count_once_however_often_they_come(batches: list[list[int]], keep: bool) -> None:
    folded = Folded()
    for batch in batches:
        folded = with_units(folded, bitmap(batch), keep_bitmap=keep)
        assert with_units(folded, bitmap(batch), keep_bitmap=keep) == folded
    assert folded.marked == len(set(chain(*batches)))


def test_of_many_units_the_count_is_kept_once_no_more_are_expected() -> None:
    many = bitmap(Random(1).sample(range(POSITIONS), 20_000))
    kept = with_units(Folded(), many, keep_bitmap=True)
    assert kept.marked == 20_000
    assert len(kept.bitmap) > MOST_BITMAP
    settled = with_units(kept, b"", keep_bitmap=False)
    assert settled == Folded(marked=kept.marked)
    assert with_units(settled, b"", keep_bitmap=True) == settled


def test_a_unit_that_comes_after_that_counts_as_not_seen_before() -> None:
    settled = Folded(marked=50_000)
    assert with_units(settled, bitmap([0, 9, 70]), keep_bitmap=False).marked == 50_003
    assert with_units(Folded(marked=POSITIONS - 1), bitmap([1, 2]), keep_bitmap=True).marked == POSITIONS


def test_periods_add_up() -> None:
    assert periods_together({10: 1, 20: 2}, {20: 3, 30: 4}) == {10: 1, 20: 5, 30: 4}


def test_a_document_is_read_as_it_was_written() -> None:
    whole = Folded(marked=3, bitmap=b"x", periods={1_700_000_000: 4}, arrays={"requests": b"y"})
    assert decode(encode(whole)) == whole


@pytest.mark.parametrize("content", [b"", b"\xc1", b"{}", encode(Folded(marked=1))[:-1]])
def test_what_is_no_document_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(TurnoutError, match="cannot be read"):
        decode(content)
