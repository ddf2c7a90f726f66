"""How much do two rankings agree, when the top matters most and neither needs to hold the other's items?

Rank-biased overlap, extrapolated to lists of any two lengths (Webber, Moffat & Zobel 2010, "A similarity
measure for indefinite rankings", ACM TOIS 28(4), eq. 32). A rank correlation such as Kendall's needs the same
items in both lists, which two models' hits are not.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from typing import Any

# The first ten ranks carry 86 % of the weight.
PERSISTENCE = 0.9
# Beyond these ranks lies less than a millionth of a millionth of the weight.
DEEPEST = 256


def rank_overlap(one: Sequence[Any], other: Sequence[Any], persistence: float = PERSISTENCE) -> float:
    """The agreement of two lists of JSON values, from 0 (nothing in common) to 1 (the same).

    Of an item that is there twice the first counts. Two empty lists agree; an empty one and another do not.
    Linear in the lists' length.

    >>> rank_overlap(["a", "b", "c"], ["a", "b", "c"])
    1.0
    >>> round(rank_overlap(["a", "b", "c"], ["b", "a", "d"]), 4)
    0.63
    """
    short, long = sorted((_unique(one), _unique(other)), key=len)
    if not short:
        return 0.0 if long else 1.0
    # At each depth, how many items the two tops have in common.
    in_short: set[Hashable] = set()
    in_long: set[Hashable] = set()
    common = common_at_end = 0
    total, weight = 0.0, 1.0
    for depth, item in enumerate(long, 1):
        weight *= persistence
        agreement = 0.0
        if depth <= len(short):
            mine = short[depth - 1]
            common += 1 if mine == item else (mine in in_long) + (item in in_short)
            in_short.add(mine)
            common_at_end = common
        else:
            common += item in in_short
            agreement = common_at_end * (depth - len(short)) / (len(short) * depth)
        in_long.add(item)
        total += (common / depth + agreement) * weight
    rest = ((common - common_at_end) / len(long) + common_at_end / len(short)) * weight
    return min(1.0, (1.0 - persistence) / persistence * total + rest)


def _unique(items: Sequence[Any]) -> list[Hashable]:
    return list(dict.fromkeys(map(_identity, items[:DEEPEST])))


def _identity(item: Any) -> Hashable:
    """What two equal JSON values have in common; a number is never true or false."""
    if isinstance(item, dict | list):
        return json.dumps(item, sort_keys=True), None
    return item if isinstance(item, str) else (type(item) is bool, item)
