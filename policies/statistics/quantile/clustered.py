"""Between which latencies does a quantile lie, when a user sends many requests?

The interval of Woodruff (1952) with the clustered variance of Deng, Knoblich & Lu (2018, "Applying the delta
method in metric analytics", 4.2). The share F of requests at or below x is a ratio of sums over randomisation
units, so with S_g of n_g requests in each of G groups of units and N requests,

    var(F) = G / (G-1) * sum_g (S_g - F n_g)**2 / N**2,     design effect D = var(F) / (F (1-F) / N)

and the quantile lies between the values at the shares q -+ t sqrt(D q (1-q) / N), Student's t on G - 1
degrees of freedom. D is taken at both boundaries of the quantile's cell, the larger and at least 1. The naive
interval (D = 1) covers two thirds instead of 95 % at ten requests a user. Ends are outer boundaries of their
sketch cells, so that the sketch's relative error is inside.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import hypot, inf, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from policies.latency_cells import CELLS, GAMMA, RELATIVE_ERROR, value
from policies.statistics.arguments import positive, share
from policies.statistics.kernel import critical, two_sided
from policies.statistics.quantile.sketch import MICROSECOND
from policies.statistics.result import Estimate, NotEstimable

Floats = NDArray[np.float64]
Counts = NDArray[np.int64] | NDArray[np.float64]
ASSUMPTIONS: Final = (
    "units are independent, and all requests of a unit are in one group",
    f"latencies are known to a relative error of {RELATIVE_ERROR:g}",
)
_INTERVAL: Final = "clustered quantile interval"
_DIFFERENCE: Final = "clustered difference of quantiles"
_FARTHEST: Final = 38.0  # standard errors, where a normal tail leaves double precision


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

        >>> from policies.latency_cells import CELLS
        >>> cells = np.zeros((32, CELLS), dtype=np.int64)
        >>> cells[:, 200:240] = 25
        >>> round(Ranked.of("example", cells, 0.5).centre(0.0), 5)
        0.00625
        """
        return Accumulated.of(histogram).ranked(method, q)

    def cell(self, multiplier: float) -> int | None:
        """The cell at the share q + multiplier * error; None beyond all that was seen.

        Raises nothing.

        >>> from policies.latency_cells import CELLS
        >>> cells = np.zeros((32, CELLS), dtype=np.int64)
        >>> cells[:, 200:240] = 25
        >>> found = Ranked.of("example", cells, 0.5)
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

        >>> from policies.latency_cells import CELLS
        >>> cells = np.zeros((32, CELLS), dtype=np.int64)
        >>> cells[:, 200:240] = 25
        >>> found = Ranked.of("example", cells, 0.5)
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

        >>> from policies.latency_cells import CELLS
        >>> cells = np.zeros((32, CELLS), dtype=np.int64)
        >>> cells[:, 200:240] = 25
        >>> Accumulated.of(cells).cumulative[-1]
        32000.0
        """
        cells = _checked(histogram)
        return Accumulated(cells, cells.sum(axis=1), np.cumsum(cells.sum(axis=0)).tolist())

    def ranked(self, method: str, q: float) -> Ranked | NotEstimable:
        """The q-quantile; arguments and errors as for ``clustered_quantile``.

        Source: Deng et al. (2018).

        >>> from policies.latency_cells import CELLS
        >>> cells = np.zeros((32, CELLS), dtype=np.int64)
        >>> cells[:, 200:240] = 25
        >>> Accumulated.of(cells).ranked("example", 0.95).groups
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


def clustered_quantile(
    histogram: ArrayLike, q: float, alpha: float = 0.05, *, multiplier: float | None = None
) -> Estimate | NotEstimable:
    """The q-quantile in seconds, with an interval that holds for many requests a unit.

    Args: histogram, counts (G, K) of G groups of units by K latency cells (``policies.latency_cells``);
    q in (0, 1); multiplier, standard errors in place of Student's t: an always-valid critical value (see
    ``asymptotic.critical_value``) makes it an interval that may be looked at at any time.

    An end beyond all that was seen is infinite (below: 0). Returns ``NotEstimable`` for fewer than two groups
    with requests; raises ValueError for another shape or arguments out of range.

    >>> cells = np.zeros((32, 600), dtype=np.int64)
    >>> cells[:, 200:240] = 25
    >>> result = clustered_quantile(cells, 0.5)
    >>> round(result.estimate, 5), round(result.low, 5), round(result.high, 5)
    (0.00625, 0.00613, 0.00664)
    """
    found = Ranked.of(_INTERVAL, histogram, q)
    share("alpha", alpha)
    return found if isinstance(found, NotEstimable) else ranked_quantile(found, alpha, multiplier=multiplier)


def ranked_quantile(found: Ranked, alpha: float, *, multiplier: float | None = None) -> Estimate:
    """``clustered_quantile`` of a quantile that has been found before; its results, errors and source.

    >>> cells = np.zeros((32, 600), dtype=np.int64)
    >>> cells[:, 200:240] = 25
    >>> found = Accumulated.of(cells).ranked("example", 0.5)
    >>> ranked_quantile(found, 0.05).estimate == clustered_quantile(cells, 0.5).estimate
    True
    """
    width = critical(alpha, found.groups - 1) if multiplier is None else _multiplier(multiplier)
    low, high = found.cell(-width), found.cell(width)
    return Estimate(
        method=_INTERVAL,
        estimate=found.centre(0.0),
        low=0.0 if not low else MICROSECOND * GAMMA ** (low - 1),
        high=inf if high in (None, CELLS - 1) else MICROSECOND * GAMMA ** (high or 0),
        level=1.0 - alpha,
        assumptions=ASSUMPTIONS,
        details=(("share_error", found.error), ("groups", float(found.groups)), ("multiplier", width)),
    )


def clustered_quantile_difference(
    a: ArrayLike, b: ArrayLike, q: float, alpha: float = 0.05, *, multiplier: float | None = None
) -> Estimate | NotEstimable:
    """The difference of the q-quantiles (b less the control a), in seconds, from two (G, K) histograms.

    The ends' distances l and u are combined as by Zou & Donner (2008, "Construction of confidence limits
    about effect measures", Statistics in Medicine): ``d - sqrt((q_b - l_b)**2 + (u_a - q_a)**2)`` below,
    alike above. Sampling is combined so, between cells' values; the sketch's relative error of both ends is
    then added whole, because it does not average out. The p-value is that of the multiplier at which the
    interval would just reach zero (None when a multiplier was given). Arguments, ``NotEstimable`` and errors
    as for ``clustered_quantile``.

    >>> cells = np.zeros((32, 600), dtype=np.int64)
    >>> cells[:, 200:240] = 25
    >>> result = clustered_quantile_difference(cells, np.roll(cells, 20, axis=1), 0.5)
    >>> round(result.estimate, 5), result.low > 0, result.p_value < 0.001
    (0.00767, True, True)
    """
    base, other = Ranked.of(_DIFFERENCE, a, q), Ranked.of(_DIFFERENCE, b, q)
    share("alpha", alpha)
    if isinstance(base, NotEstimable):
        return NotEstimable(_DIFFERENCE, f"control: {base.reason}")
    if isinstance(other, NotEstimable):
        return NotEstimable(_DIFFERENCE, f"treatment: {other.reason}")
    return ranked_difference(base, other, alpha, multiplier=multiplier)


def ranked_difference(
    base: Ranked, other: Ranked, alpha: float, *, multiplier: float | None = None
) -> Estimate:
    """``clustered_quantile_difference`` of quantiles that have been found before; its results and source.

    >>> cells = np.zeros((32, 600), dtype=np.int64)
    >>> cells[:, 200:240] = 25
    >>> found = Accumulated.of(cells).ranked("example", 0.5)
    >>> ranked_difference(found, found, 0.05).p_value
    1.0
    """
    freedom = min(base.groups, other.groups) - 1
    width = critical(alpha, freedom) if multiplier is None else _multiplier(multiplier)
    centres = base.centre(0.0), other.centre(0.0)
    difference = centres[1] - centres[0]
    down, up = _reach(base, other, centres, width), _reach(base, other, centres, -width)
    return Estimate(
        method=_DIFFERENCE,
        estimate=difference,
        low=difference - down,
        high=difference + up,
        level=1.0 - alpha,
        p_value=_p_value(base, other, centres, freedom) if multiplier is None else None,
        assumptions=ASSUMPTIONS,
        details=(
            ("control", centres[0]),
            ("treatment", centres[1]),
            ("df", float(freedom)),
            ("multiplier", width),
        ),
    )


def over_epochs(a: Sequence[ArrayLike], b: Sequence[ArrayLike]) -> tuple[Floats, Floats] | NotEstimable:
    """Two variants' histograms over several epochs, (G, K) each, with every epoch at one share in both.

    Summing histograms over epochs of different weights would compare one variant's mornings with the other's
    evenings. Here each epoch counts by its share of all requests, in both variants; epochs that lack one of
    them count in neither. Totals are the effective sizes, 1 / sum_e W_e**2 / n_e, so that what is computed of
    them has the right variance. Returns ``NotEstimable`` when no epoch has both.

    >>> morning, evening = np.eye(2, 600), np.eye(2, 600, k=50)
    >>> a, b = over_epochs([9 * morning, evening], [morning, 9 * evening])
    >>> bool(np.allclose(a, b))
    True
    """
    if len(a) != len(b):
        raise ValueError(f"a and b must have as many epochs, got {len(a)} and {len(b)}")
    pairs = [(_checked(one), _checked(two)) for one, two in zip(a, b, strict=True)]
    pairs = [(one, two) for one, two in pairs if one.any() and two.any()]
    if not pairs:
        return NotEstimable("quantiles over epochs", "no epoch in which both variants had requests")
    sizes = np.array([[one.sum(), two.sum()] for one, two in pairs])
    weights = sizes.sum(axis=1) / sizes.sum()
    first, second = (
        standardised(np.array([pair[side] for pair in pairs]), sizes[:, side], weights) for side in (0, 1)
    )
    return first, second


def standardised(histograms: Floats, sizes: Floats, weights: Floats) -> Floats:
    """One variant's histograms (E, G, K) of ``sizes`` > 0 (E,) as one (G, K), at the shares ``weights`` (E,).

    The total is the effective size, ``1 / sum_e W_e**2 / n_e``. Raises nothing. Source: Cochran (1954).

    >>> epochs = np.array([np.eye(2, 3), 9 * np.eye(2, 3, k=1)])
    >>> standardised(epochs, np.array([2.0, 18.0]), np.array([0.5, 0.5])).round(2).tolist()
    [[1.8, 1.8, 0.0], [0.0, 1.8, 1.8]]
    """
    factors = weights / sizes / float((weights**2 / sizes).sum())
    # A product for each group, small enough for one processor: see ``over_rows``.
    total: Floats = factors @ histograms.swapaxes(0, 1)
    return total


def _multiplier(value: float) -> float:
    """Any number above 0; an infinite one bounds nothing."""
    return value if value == inf else positive("multiplier", value)


def _reach(base: Ranked, other: Ranked, centres: tuple[float, float], multiplier: float) -> float:
    """How far below (multiplier > 0) or above (< 0) the difference its interval ends, in seconds."""
    end_a, end_b = base.centre(multiplier), other.centre(-multiplier)
    if inf in (end_a, end_b):
        return inf
    return hypot(centres[0] - end_a, centres[1] - end_b) + RELATIVE_ERROR * (end_a + end_b)


def _p_value(base: Ranked, other: Ranked, centres: tuple[float, float], freedom: int) -> float:
    """Bisection on the multiplier: the interval grows with it, in steps of cells."""
    difference = centres[1] - centres[0]
    side = 1.0 if difference > 0.0 else -1.0
    distance = abs(difference)
    low, high = 0.0, _FARTHEST
    if _reach(base, other, centres, side * 1e-9) >= distance:
        return 1.0
    if _reach(base, other, centres, side * high) < distance:
        return two_sided(high, freedom)
    for _ in range(32):
        middle = (low + high) / 2.0
        reached = _reach(base, other, centres, side * middle) >= distance
        low, high = (low, middle) if reached else (middle, high)
    return two_sided(high, freedom)


def _checked(histogram: ArrayLike) -> Floats:
    cells = np.asarray(histogram, dtype=np.float64)
    if cells.ndim != 2 or cells.shape[1] != CELLS:
        raise ValueError(f"histogram must have the shape (G, {CELLS}), got {cells.shape}")
    if cells.size and not (cells.min() >= 0.0 and np.isfinite(cells).all()):
        raise ValueError("histogram must have finite counts >= 0")
    return cells


METHODS: Final[dict[str, Callable[..., object]]] = {
    "clustered_quantile": clustered_quantile,
    "clustered_quantile_difference": clustered_quantile_difference,
    "histograms_over_epochs": over_epochs,
}
