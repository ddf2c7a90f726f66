"""What of an ended epoch is kept, and in how few bytes?

While an epoch runs, its sums are arrays that Redis adds to in place: some 300 kB a variant, however little
traffic there was. Once it has ended they are folded into one document: each array compressed, without its
zeros where most are, so that what was never added to costs next to nothing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from itertools import accumulate
from operator import sub
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from policies.assignment import POSITIONS
from router.errors import TurnoutError
from router.store import layout

# A bitmap that is compressed to more than this, as from some 10,000 units on, is left out once its epoch is
# settled, and its count is kept. What comes later still is what a worker could not send for the whole of the
# attribution window, and each of its units counts once too often at most.
MOST_BITMAP: Final = 16_384


class Folded(Struct, frozen=True, kw_only=True):
    """One variant in one epoch, as far as it was folded; what came later is beside it, not folded.

    ``marked`` counts the positions of units; ``bitmap`` has them, compressed, or nothing where the count is
    all that is kept. ``periods`` are requests by the end of their period, and ``arrays`` what `pack` made.
    """

    marked: int = 0
    bitmap: bytes = b""
    periods: dict[int, int] = {}
    arrays: dict[str, bytes] = {}


# By the types in `layout`: as `struct` names them, and the largest number, at which they stay.
_CODES: Final = {layout.COUNT_TYPE: "q", layout.CELL_TYPE: "I", layout.SUM_TYPE: "d"}
_MOST: Final = {layout.COUNT_TYPE: 2**63 - 1, layout.CELL_TYPE: 2**32 - 1}

_WHOLES: Final = {4: "I", 8: "Q"}
# Of a packed array: the numbers' width, how many there are, and whether each has its gap before it.
_HEAD: Final = struct.Struct(">BIB")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Folded).decode


def encode(folded: Folded) -> bytes:
    """The document as Redis keeps it."""
    return _encode(folded)


def decode(document: bytes) -> Folded:
    """The document as it was; `TurnoutError` where it is none."""
    try:
        return _decode(document)
    except msgspec.MsgspecError as error:
        raise TurnoutError(f"a folded epoch in Redis cannot be read: {error}") from error


class Unpacked(NamedTuple):
    """An array's ``numbers``; where ``gaps`` (16 bits each) are given, only those that are not 0.

    The first gap is the first number's index, and each other one is how far that number is from the one
    before it.
    """

    gaps: bytes
    numbers: bytes


def pack(numbers: bytes, width: int) -> bytes:
    """Numbers of ``width`` bytes each (4 or 8), compressed: without the zeros where most are.

    >>> len(pack(bytes(8 * 1024), 8)) < 20
    True
    """
    values = struct.unpack(f">{len(numbers) // width}{_WHOLES[width]}", numbers)
    there = [place for place, value in enumerate(values) if value]
    if 2 * len(there) * (width + 2) > len(numbers):
        return zlib.compress(_HEAD.pack(width, len(values), 0) + _by_significance(numbers, width))
    gaps = struct.pack(f">{len(there)}H", *map(sub, there, [0, *there]))
    numbers = struct.pack(f">{len(there)}{_WHOLES[width]}", *(values[place] for place in there))
    head = _HEAD.pack(width, len(there), 1)
    return zlib.compress(head + _by_significance(gaps, 2) + _by_significance(numbers, width))


def unpack(packed: bytes) -> Unpacked:
    """What was packed, in the form that took less."""
    plain = zlib.decompress(packed)
    width, count, sparse = _HEAD.unpack_from(plain)
    first = _HEAD.size + 2 * count * sparse
    return Unpacked(_in_order(plain[_HEAD.size : first], 2), _in_order(plain[first:], width))


def unpack_whole(packed: bytes) -> bytes:
    """All numbers that were packed, or those up to the last one that is not 0.

    >>> unpack_whole(pack(bytes(9 * 4) + b"abcdefgh" + bytes(99 * 4), 4)) == bytes(9 * 4) + b"abcdefgh"
    True
    """
    gaps, numbers = unpack(packed)
    if not gaps:
        return numbers
    places = list(accumulate(struct.unpack(f">{len(gaps) // 2}H", gaps)))
    width = len(numbers) // len(places)
    whole = bytearray((places[-1] + 1) * width)
    for number, place in enumerate(places):
        whole[place * width : (place + 1) * width] = numbers[number * width : (number + 1) * width]
    return bytes(whole)


def _by_significance(numbers: bytes, width: int) -> bytes:
    """All first bytes, then all second ones: of small numbers the first are all 0."""
    return b"".join(numbers[place::width] for place in range(width))


def _in_order(planes: bytes, width: int) -> bytes:
    numbers, size = bytearray(len(planes)), len(planes) // width
    for place in range(width):
        numbers[place::width] = planes[place * size : (place + 1) * size]
    return bytes(numbers)


def width(kind: str) -> int:
    """How many bytes a number of one of the types in `router.store.layout` has."""
    return struct.calcsize(_CODES[kind])


def added(one: bytes, other: bytes, kind: str) -> bytes:
    """Two arrays of a type, number by number; the shorter one is filled up with zeros.

    >>> added(bytes([0, 0, 0, 1, 255, 255, 255, 255]), bytes([0, 0, 0, 5, 0, 0, 0, 9]), ">u4").hex()
    '00000006ffffffff'
    """
    code = _CODES[kind]
    size = max(len(one), len(other))
    codes = f">{size // struct.calcsize(code)}{code}"
    pairs = zip(*(struct.unpack(codes, each.ljust(size, b"\0")) for each in (one, other)), strict=True)
    most = _MOST.get(kind)
    return struct.pack(codes, *(a + b if most is None else min(a + b, most) for a, b in pairs))


def marked_together(folded: Folded, late: bytes) -> int:
    """How many positions are marked there or in the bitmap ``late``.

    Where only their count was kept, those that come late count as not seen before.
    """
    if folded.marked and not folded.bitmap:
        return min(folded.marked + _number(late).bit_count(), POSITIONS)
    return _union(folded, late).bit_count()


def with_units(folded: Folded, late: bytes, *, keep_bitmap: bool) -> Folded:
    """With the positions of a bitmap ``late``; ``keep_bitmap`` keeps the bitmap however large it is."""
    bitmap = b""
    if folded.bitmap or not folded.marked:
        union = _union(folded, late)
        bitmap = zlib.compress(union.to_bytes(POSITIONS // 8).rstrip(b"\0")) if union else b""
        if len(bitmap) > MOST_BITMAP and not keep_bitmap:
            bitmap = b""
    return msgspec.structs.replace(folded, marked=marked_together(folded, late), bitmap=bitmap)


def periods_together(one: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    """Requests by period, added up."""
    return dict(one) | {ending: one.get(ending, 0) + count for ending, count in other.items()}


def _union(folded: Folded, late: bytes) -> int:
    return _number(late) | (_number(zlib.decompress(folded.bitmap)) if folded.bitmap else 0)


def _number(bitmap: bytes) -> int:
    """A bitmap, of which a string ends where nothing follows, as one number."""
    return int.from_bytes(bitmap.ljust(POSITIONS // 8, b"\0"))
