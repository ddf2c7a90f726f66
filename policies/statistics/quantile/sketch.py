"""Which value has a given share of all observations below it, from a sketch of fixed relative error?

DDSketch with the logarithmic mapping (Masson, Rim & Lee 2019, "DDSketch: a fast and fully-mergeable quantile
sketch with relative-error guarantees", VLDB): cell k counts gamma**(k-1) < x <= gamma**k with
gamma = (1 + a) / (1 - a) and stands for 2 gamma**k / (1 + gamma), which is within the relative error a of all
it counts. Sketches merge by adding cells, in any order, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import floor, log
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from policies.latency_cells import CELLS, RELATIVE_ERROR
from policies.statistics.arguments import share
from policies.statistics.result import NotEstimable

Counts = NDArray[np.int64]
MICROSECOND: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Sketch:
    """Counts (K,) of cells ``offset`` to ``offset + K - 1``; values in multiples of ``unit``; zeros apart."""

    relative_error: float
    offset: int
    counts: Counts
    zeros: int = 0
    unit: float = 1.0

    def __post_init__(self) -> None:
        share("relative_error", self.relative_error)
        if self.counts.ndim != 1 or (self.counts.size and self.counts.min() < 0) or self.zeros < 0:
            raise ValueError("counts must be of one dimension, and none negative")

    @staticmethod
    def from_values(values: ArrayLike, relative_error: float = RELATIVE_ERROR) -> Sketch:
        """From values (n,). Raises ValueError for a negative one, or an error outside (0, 1).

        >>> Sketch.from_values([1.0, 2.0, 4.0], 0.01).total
        3
        """
        x = np.asarray(values, dtype=float).ravel()
        if x.size and not (x.min() >= 0.0 and np.isfinite(x).all()):
            raise ValueError("values must be finite and >= 0")
        above = x[x > 0.0]
        if not above.size:
            return Sketch(relative_error, 0, np.zeros(0, np.int64), int(x.size))
        keys = np.ceil(np.log(above) / log(_gamma(relative_error))).astype(np.int64)
        low = int(keys.min())
        return Sketch(relative_error, low, np.bincount(keys - low).astype(np.int64), int(x.size - above.size))

    @staticmethod
    def from_latency_cells(counts: ArrayLike) -> Sketch:
        """From the data plane's latency histogram, (CELLS,); values in seconds. Raises ValueError otherwise.

        >>> Sketch.from_latency_cells(np.ones(CELLS)).total
        600
        """
        cells = np.asarray(counts, dtype=np.int64)
        if cells.shape != (CELLS,):
            raise ValueError(f"counts must have the shape ({CELLS},), got {cells.shape}")
        return Sketch(RELATIVE_ERROR, 0, cells, unit=MICROSECOND)

    @property
    def total(self) -> int:
        """How many values were counted.

        >>> Sketch.from_values([0.0, 3.0]).total
        2
        """
        return int(self.counts.sum()) + self.zeros

    @property
    def gamma(self) -> float:
        """The ratio of neighbouring cells' boundaries.

        >>> Sketch.from_values([1.0], 0.2).gamma
        1.4999999999999998
        """
        return _gamma(self.relative_error)

    def merge(self, other: Sketch) -> Sketch:
        """The sketch of both sets of values; exact, whatever the order. Refuses another error or unit.

        >>> both = Sketch.from_values([1.0]).merge(Sketch.from_values([9.0, 0.0]))
        >>> both.total, both == Sketch.from_values([9.0, 0.0, 1.0])
        (3, True)
        """
        if (self.relative_error, self.unit) != (other.relative_error, other.unit):
            raise ValueError("cannot merge sketches of different relative error or unit")
        if not other.counts.size or not self.counts.size:
            some = self if self.counts.size else other
            return Sketch(some.relative_error, some.offset, some.counts, self.zeros + other.zeros, some.unit)
        low = min(self.offset, other.offset)
        high = max(self.offset + self.counts.size, other.offset + other.counts.size)
        counts = np.zeros(high - low, np.int64)
        for part in (self, other):
            start = part.offset - low
            counts[start : start + part.counts.size] += part.counts
        return Sketch(self.relative_error, low, counts, self.zeros + other.zeros, self.unit)

    def at_rank(self, rank: float) -> float:
        """The observation of 0-based ``rank``, within the relative error; 0 for a counted zero.

        Raises ValueError for a rank that was not counted.

        >>> Sketch.from_values([0.0, 3.0]).at_rank(0)
        0.0
        """
        if not 0 <= rank < self.total:
            raise ValueError(f"rank must be in 0..{self.total - 1}, got {rank!r}")
        if rank < self.zeros:
            return 0.0
        # The count is whole, so "more than rank below or in the cell" needs no fraction of it.
        index = int(np.searchsorted(np.cumsum(self.counts), floor(rank) - self.zeros, side="right"))
        return self.value(self.offset + index)

    def value(self, key: int) -> float:
        """What cell ``key`` stands for, in the values' unit; any whole key will do.

        >>> round(Sketch.from_values([1.0], 0.01).value(0), 4)
        0.99
        """
        return self.unit * 2.0 * self.gamma**key / (1.0 + self.gamma)

    def quantile(self, q: float) -> float | NotEstimable:
        """The lower quantile, of rank ``floor(q (n - 1))``, within the relative error.

        Returns ``NotEstimable`` when nothing was counted; raises ValueError unless q is in (0, 1).

        >>> sketch = Sketch.from_values(np.arange(1.0, 1001.0), 0.01)
        >>> abs(sketch.quantile(0.5) / 500 - 1) <= 0.01
        True
        """
        share("q", q)
        if self.total == 0:
            return NotEstimable("sketched quantile", "nothing was counted")
        return self.at_rank(floor(q * (self.total - 1)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sketch):
            return NotImplemented
        same = (self.relative_error, self.unit, self.zeros) == (other.relative_error, other.unit, other.zeros)
        return same and self._cells() == other._cells()

    def __hash__(self) -> int:
        return hash((self.relative_error, self.unit, self.zeros, tuple(sorted(self._cells().items()))))

    def _cells(self) -> Mapping[int, int]:
        return {self.offset + int(i): int(self.counts[i]) for i in np.flatnonzero(self.counts)}


def sketched_quantile(
    values: ArrayLike, q: float, relative_error: float = RELATIVE_ERROR
) -> float | NotEstimable:
    """The quantile of values (n,) by way of a sketch: what a merged sketch of them answers.

    Returns ``NotEstimable`` for no values; raises ValueError as ``Sketch.from_values`` and ``quantile``.

    >>> round(sketched_quantile([1.0, 2.0, 100.0], 0.5, 0.01), 2)
    1.99
    """
    return Sketch.from_values(values, relative_error).quantile(q)


def _gamma(relative_error: float) -> float:
    share("relative_error", relative_error)
    return (1.0 + relative_error) / (1.0 - relative_error)


METHODS: Final[dict[str, Callable[..., object]]] = {"sketched_quantile": sketched_quantile}
