"""Where does a quantile lie among latencies, and how well is its rank known when a user sends many requests?

The clustered variance of Deng, Knoblich & Lu (2018, "Applying the delta method in metric analytics", 4.2).
The share F of requests at or below x is a ratio of sums over randomisation units, so with S_g of n_g requests
in each of G groups of units and N requests,

    var(F) = G / (G-1) * sum_g (S_g - F n_g)**2 / N**2,     design effect D = var(F) / (F (1-F) / N)

and the quantile's rank has the standard error sqrt(D q (1-q) / N). D is taken at both boundaries of the
quantile's cell, the larger and at least 1.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from policies.latency_cells import CELLS, value
from policies.statistics.arguments import share
from policies.statistics.result import NotEstimable

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Where a quantile lies in a histogram: cumulative counts by cell (K), its rank and that rank's error."""

    cumulative: list[float]
    q: float
    error: float
    groups: int

    @staticmethod
    def of(method: str, histogram: ArrayLike, q: float) -> Ranked | NotEstimable:
        """The q-quantile of counts (G, K); arguments and errors as for ``clustered_quantile``.

        Source: Deng et al. (2018).

        >>> from policies.statistics.sample import latencies
        >>> round(Ranked.of("example", latencies(), 0.5).centre(0.0), 5)
        0.00625
        """
        return Accumulated.of(histogram).ranked(method, q)

    def cell(self, multiplier: float) -> int | None:
        """The cell at the share q + multiplier * error; None beyond all that was seen.

        Raises nothing.

        >>> from policies.statistics.sample import latencies
        >>> found = Ranked.of("example", latencies(), 0.5)
        >>> found.cell(0.0), found.cell(1e6)
        (219, None)
        """
        at, cumulative = self.q + multiplier * self.error, self.cumulative
        if not 0.0 < at < 1.0:
            return None
        return bisect_left(cumulative, at * cumulative[-1] * (1.0 - 1e-12))

    def centre(self, multiplier: float) -> float:
        """The value of that cell in seconds; 0 and infinity beyond all that was seen.

        Raises nothing.

        >>> from policies.statistics.sample import latencies
        >>> found = Ranked.of("example", latencies(), 0.5)
        >>> found.centre(-1e6), round(found.centre(0.0), 5), found.centre(1e6)
        (0.0, 0.00625, inf)
        """
        cell = self.cell(multiplier)
        return value(cell) if cell is not None else (0.0 if multiplier < 0.0 else inf)


@dataclass(frozen=True, slots=True)
class Accumulated:
    """A histogram (G, K) with its groups' ``sizes`` (G,) and cumulative counts, for many quantiles."""

    cells: Floats
    sizes: Floats
    cumulative: list[float]

    @staticmethod
    def of(histogram: ArrayLike) -> Accumulated:
        """Of counts (G, K); raises ValueError as ``clustered_quantile``.

        >>> from policies.statistics.sample import latencies
        >>> Accumulated.of(latencies()).cumulative[-1]
        32000.0
        """
        cells = checked_histogram(histogram)
        return Accumulated(cells, cells.sum(axis=1), np.cumsum(cells.sum(axis=0)).tolist())

    def ranked(self, method: str, q: float) -> Ranked | NotEstimable:
        """The q-quantile; arguments and errors as for ``clustered_quantile``.

        Source: Deng et al. (2018).

        >>> from policies.statistics.sample import latencies
        >>> Accumulated.of(latencies()).ranked("example", 0.95).groups
        32
        """
        share("q", q)
        groups, cumulative = int(np.count_nonzero(self.sizes)), self.cumulative
        if groups < 2:
            return NotEstimable(method, f"{groups} group(s) of units with requests, 2 are needed")
        total = cumulative[-1]
        cell = bisect_left(cumulative, q * total * (1.0 - 1e-12))
        effect = 1.0
        for edge in (cell - 1, cell):
            below = cumulative[edge] / total if edge >= 0 else 0.0
            if 0.0 < below < 1.0:
                residual = self.cells[:, : edge + 1].sum(axis=1) - below * self.sizes
                clustered = groups / (groups - 1) * float(np.square(residual).sum()) / total**2
                effect = max(effect, clustered / (below * (1.0 - below) / total))
        return Ranked(cumulative, q, sqrt(effect * q * (1.0 - q) / total), groups)


def checked_histogram(histogram: ArrayLike) -> Floats:
    """Counts (G, K) by latency cell as they are; raises ValueError for another shape, or no finite counts.

    >>> from policies.statistics.sample import latencies
    >>> float(checked_histogram(latencies()).sum())
    32000.0
    """
    cells = np.asarray(histogram, dtype=np.float64)
    if cells.ndim != 2 or cells.shape[1] != CELLS:
        raise ValueError(f"histogram must have the shape (G, {CELLS}), got {cells.shape}")
    if cells.size and not (cells.min() >= 0.0 and np.isfinite(cells).all()):
        raise ValueError("histogram must have finite counts >= 0")
    return cells
