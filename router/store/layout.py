"""How are sums by bucket laid out in Redis?

Each is one string: an array of big-endian numbers, indexed by bucket (or by histogram cell), as BITFIELD adds
to it. Against a hash with a field a bucket that is an eighth of the memory, one command for a thousand
additions, and one read that numpy takes as it is. What lies beyond a string's end is zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import Final

from policies.latency_cells import CELLS

# Latency histograms are kept for this many groups of buckets (bucket modulo GROUPS), not for each bucket.
GROUPS: Final = 32

# In the order in which the record script is given their keys. ``units`` is a bitmap of positions, ``periods``
# a hash of requests by the unix second in which a period of theirs ends, ``unidentified`` and ``fallbacks``
# plain counts. ``fallbacks`` is there as soon as anything is, 0 if need be: where it is not, it was recorded
# by a service that did not count them.
ARRAYS: Final = ("requests", "errors", "first_byte", "last_byte", "first_cells", "last_cells")
OTHERS: Final = ("units", "periods", "unidentified", "fallbacks")

# Requests are counted by periods of at least this many seconds, and of one part in so many of the attribution
# window: that is how exactly it is known which traffic is mature, in a few hundred numbers for any window.
SHORTEST_PERIOD: Final = 10
PERIODS_IN_WINDOW: Final = 360

COUNT_TYPE: Final = ">i8"
CELL_TYPE: Final = ">u4"
SUM_TYPE: Final = ">f8"
GAP_TYPE: Final = ">u2"


def outcome_name(metric: str, kind: str, what: str) -> str:
    """The name of a metric's sum: ``count``, ``sum`` or ``capped``."""
    return f"{kind}:{metric}:{what}"


def array_types(metrics: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The type of the numbers in each array there is, by its name; ``metrics`` are names and kinds.

    >>> list(array_types([("won", "binary")]).items())[-4:-2]
    [('binary:won:count', '>i8'), ('binary:won:sum', '>f8')]
    """
    metrics = list(metrics)
    return {
        **dict.fromkeys(ARRAYS[:4], COUNT_TYPE),
        **{outcome_name(*metric, "count"): COUNT_TYPE for metric in metrics},
        **{outcome_name(*metric, "sum"): SUM_TYPE for metric in metrics},
        **dict.fromkeys(ARRAYS[4:], CELL_TYPE),
    }


def period_end(now: float, window: float) -> int:
    """The unix second in which the period of ``now`` ends, for an attribution window in seconds.

    >>> period_end(1_700_000_001.5, 60.0), period_end(1_700_000_001.5, 7 * 86400.0)
    (1700000010, 1700000400)
    """
    seconds = max(SHORTEST_PERIOD, ceil(window / PERIODS_IN_WINDOW))
    return (int(now // seconds) + 1) * seconds


def histogram_index(bucket: int, cell: int) -> int:
    """Where a latency's cell is counted, in ``first_cells`` and ``last_cells``.

    >>> histogram_index(33, 5) == 1 * CELLS + 5
    True
    """
    return bucket % GROUPS * CELLS + cell
