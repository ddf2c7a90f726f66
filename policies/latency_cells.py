"""Which histogram cell does a latency fall into, and which latency does a cell stand for?

The cells are those of DDSketch (Masson, Rim & Lee, 2019, "DDSketch: a fast and fully-mergeable quantile
sketch with relative-error guarantees"): cell k holds ``gamma**(k-1) < x <= gamma**k`` microseconds with
``gamma = (1 + a) / (1 - a)``, so that a cell's value is within the relative error ``a`` of all it holds,
and two histograms merge by adding cells. Whatever is beyond the last boundary (over seven hours) is
counted in the last cell.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

RELATIVE_ERROR: Final = 0.02
CELLS: Final = 600
GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)

# An integer is <= gamma**k exactly when it is <= its floor, so integer boundaries lose nothing and a search
# over them is both exact at the edges and faster than a logarithm. The last cell has no upper boundary.
_UPPER: Final = [int(GAMMA**k) for k in range(CELLS - 1)]
# Most latencies are short: those are looked up.
_SHORT: Final = tuple(bisect_left(_UPPER, microseconds) for microseconds in range(1 << 15))
_SECONDS: Final = tuple(2e-6 * GAMMA**k / (1 + GAMMA) for k in range(CELLS))


def cell(microseconds: int) -> int:
    """The cell, 0 to ``CELLS - 1``, of a latency in whole microseconds; 0 and 1 fall into cell 0.

    >>> cell(0), cell(1), cell(250_000), cell(10**15)
    (0, 0, 311, 599)
    """
    return _SHORT[microseconds] if 0 <= microseconds < len(_SHORT) else bisect_left(_UPPER, microseconds)


def cells(microseconds: Sequence[int]) -> list[int]:
    """The cell of each latency; several times as fast as one by one where all are short.

    >>> cells([0, 250_000]) == [cell(0), cell(250_000)]
    True
    """
    if microseconds and min(microseconds) >= 0 and max(microseconds) < len(_SHORT):
        return [_SHORT[each] for each in microseconds]
    return [cell(each) for each in microseconds]


def value(cell: int) -> float:
    """The seconds a cell stands for: within ``RELATIVE_ERROR`` of every latency counted in it.

    >>> abs(value(cell(250_000)) / 0.25 - 1) <= RELATIVE_ERROR
    True
    """
    if not 0 <= cell < CELLS:
        raise ValueError(f"cell must be in 0..{CELLS - 1}, got {cell}")
    return _SECONDS[cell]
