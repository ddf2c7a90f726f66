"""Which variant does a unit get, does it take part, and into which bucket does it fall?

Weighted rendezvous hashing (Schindelhauer & Schomaker 2005): each variant draws, from a hash of its name and
the unit, an exponential variable with rate proportional to its weight, and the smallest wins. The shares are
exact, every process agrees without talking, and raising one weight moves units only into that variant.
"""

from __future__ import annotations

from hashlib import sha256
from math import inf, log
from struct import Struct
from typing import Literal

from policies.plan import Decision, Plan

# Of a unit as it is sent, this many bytes count.
LONGEST_UNIT = 256
BUCKETS = 1024
POSITIONS = 1 << 20
# The position is the place's high 20 bits.
POSITION_SHIFT = 64 - 20

_TWO_TO_MINUS_64 = 2.0**-64
_TWO_TO_MINUS_53 = 2.0**-53
_first_64_bits = Struct(">Q").unpack_from


def score(prefix: bytes, weight: float, unit: bytes) -> float:
    """``ln(u) / weight`` with u in (0, 1): SHA-256's first 8 bytes, big-endian, plus one half, over 2^64.

    >>> round(score(b"ranker.champion.", 90.0, b"user-1"), 6)
    -0.006012
    """
    draw = _first_64_bits(sha256(prefix + unit).digest())[0]
    return log((draw + 0.5) * _TWO_TO_MINUS_64) / weight


def assign(plan: Plan, unit: bytes) -> Decision:
    """The decision of the variant with the largest score; a few microseconds, allocation only in the hash.

    >>> assign(Plan("ranker", {"champion": 90, "challenger": 10}), b"user-1").variant
    'champion'
    """
    arms = plan.arms
    if len(arms) == 1:
        return arms[0].decision
    best = -inf
    for prefix, weight, decision in arms:
        value = log((_first_64_bits(sha256(prefix + unit).digest())[0] + 0.5) * _TWO_TO_MINUS_64) / weight
        if value > best:
            best = value
            chosen = decision
    return chosen


def place(bucket_prefix: bytes, unit: bytes) -> int:
    """64 bits of a unit's own, the same in every epoch and independent of every assignment.

    The low 10 bits are the unit's bucket (``% BUCKETS``), the high 20 bits its position in the bitmap by
    which distinct units are counted. ``bucket_prefix`` is ``salt..``: the empty name is no variant's.
    """
    place: int = _first_64_bits(sha256(bucket_prefix + unit).digest())[0]
    return place


def bucket_prefix(salt: str) -> bytes:
    """The prefix that `place` expects."""
    return f"{salt}..".encode()


Purpose = Literal["layer", "holdout", "share"]


def draw_prefix(salt: str, purpose: Purpose) -> bytes:
    """The prefix that `draw` expects: ``salt..purpose.``.

    No experiment's scores or buckets begin so, whatever its salt: a layer and an experiment may have the
    same name, and their draws are independent all the same.
    """
    return f"{salt}..{purpose}.".encode()


def draw(prefix: bytes, unit: bytes) -> float:
    """Where a unit falls in [0, 1): the high 53 bits of a hash, which a double holds exactly.

    Who takes part is told by comparing this with bounds, so that widening them never moves a unit out.

    >>> round(draw(draw_prefix("checkout", "layer"), b"user-1"), 6)
    0.71142
    """
    first: int = _first_64_bits(sha256(prefix + unit).digest())[0]
    return (first >> 11) * _TWO_TO_MINUS_53
