"""What of an ended epoch is kept, and in how few bytes?

While an epoch runs, its sums are arrays that Redis adds to in place: some 300 kB a variant, however little
traffic there was. Once it has ended they are folded into one document: each array with its bytes ordered by
significance and then compressed, so that what was never added to costs next to nothing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Final

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


def pack(numbers: bytes, width: int) -> bytes:
    """Numbers of ``width`` bytes each, compressed.

    >>> len(pack(bytes(8 * 1024), 8)) < 40
    True
    """
    return zlib.compress(bytes([width]) + b"".join(numbers[place::width] for place in range(width)))


def unpack(packed: bytes) -> bytes:
    """The numbers that were packed.

    >>> unpack(pack(b"abcdefgh", 4))
    b'abcdefgh'
    """
    plain = zlib.decompress(packed)
    width, size = plain[0], (len(plain) - 1) // plain[0]
    numbers = bytearray(len(plain) - 1)
    for place in range(width):
        numbers[place::width] = plain[1 + place * size : 1 + (place + 1) * size]
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


def with_units(folded: Folded, late: bytes, *, keep_bitmap: bool) -> Folded:
    """With the positions of a bitmap ``late`` among its units, once each.

    Where only their count was kept, those that come late count as not seen before. ``keep_bitmap`` keeps the
    bitmap however large it is.
    """
    if folded.marked and not folded.bitmap:
        return msgspec.structs.replace(folded, marked=min(folded.marked + _marks(late), POSITIONS))
    union = (_number(zlib.decompress(folded.bitmap)) if folded.bitmap else 0) | _number(late)
    bitmap = zlib.compress(union.to_bytes(POSITIONS // 8).rstrip(b"\0")) if union else b""
    if len(bitmap) > MOST_BITMAP and not keep_bitmap:
        bitmap = b""
    return msgspec.structs.replace(folded, marked=union.bit_count(), bitmap=bitmap)


def periods_together(one: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    """Requests by period, added up."""
    return dict(one) | {ending: one.get(ending, 0) + count for ending, count in other.items()}


def _number(bitmap: bytes) -> int:
    """A bitmap, of which a string ends where nothing follows, as one number."""
    return int.from_bytes(bitmap.ljust(POSITIONS // 8, b"\0"))


def _marks(bitmap: bytes) -> int:
    return int.from_bytes(bitmap).bit_count()
