"""How are sums by bucket laid out in Redis?

Each is one string: an array of big-endian numbers, indexed by bucket (or by histogram cell), as BITFIELD adds
to it. Against a hash with a field a bucket that is an eighth of the memory, one command for a thousand
additions, and one read that numpy takes as it is. A string is as long as the highest index it was given.
"""

from __future__ import annotations

from typing import Final

from policies.latency_cells import CELLS

# Latency histograms are kept for this many groups of buckets (bucket modulo GROUPS), not for each bucket.
GROUPS: Final = 32

# In the order in which the record script is given their keys. ``units`` is a bitmap of positions, ``minutes``
# a hash from unix minute to requests, ``unidentified`` a plain count.
ARRAYS: Final = ("requests", "errors", "first_byte", "last_byte", "first_cells", "last_cells")
OTHERS: Final = ("units", "minutes", "unidentified")

COUNT_TYPE: Final = ">i8"
CELL_TYPE: Final = ">u4"
SUM_TYPE: Final = ">f8"


def histogram_index(bucket: int, cell: int) -> int:
    """Where a latency's cell is counted, in ``first_cells`` and ``last_cells``.

    >>> histogram_index(33, 5) == 1 * CELLS + 5
    True
    """
    return bucket % GROUPS * CELLS + cell
