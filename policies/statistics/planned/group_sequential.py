"""Beyond which z does each planned look stop, so that all looks together err with alpha?

Group-sequential boundaries (Armitage, McPherson & Rowe 1969; Jennison & Turnbull 2000, "Group Sequential
Methods", ch. 19): the score S_k = Z_k sqrt(I_k) has independent increments N(theta (I_k - I_{k-1}), I_k -
I_{k-1}); its density among the paths that have not yet stopped is carried from look to look by Gauss-Legendre
quadrature, and each boundary is where the crossing probability equals what may be spent there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isinf, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from policies.statistics.arguments import finite, nonnegative, one_of, positive, share
from policies.statistics.planned.spending import Spending, spent
from policies.statistics.result import Estimate, NotEstimable

_REACH: Final = 9.0  # standard deviations beyond which a normal density is nothing in double precision
_NEAREST: Final = 1e-6  # how much two looks' information must differ by, relative to the later one's
_BLOCK: Final = 192
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Schedule:
    """At each look: information fraction, critical |z| (inf: no stop possible), cumulative error spent."""

    method: str
    information: tuple[float, ...]
    z: tuple[float, ...]
    spent: tuple[float, ...]
    alpha: float
    sides: int


def group_sequential(
    information: Sequence[float],
    alpha: float = 0.05,
    sides: int = 2,
    spending: Spending = "obrien_fleming",
    phi: float = 1.0,
) -> Schedule:
    """The boundaries for looks at the given information fractions (n / planned n, increasing, above 0).

    Looks need not be planned in number or time, only independent of what they show; beyond a fraction of 1
    nothing is left to spend except at the first such look. Two-sided boundaries are symmetric. Raises
    ValueError for fractions that do not increase by a millionth at least, or arguments out of their range.

    >>> [round(z, 4) for z in group_sequential([0.2, 0.4, 0.6, 0.8, 1.0]).z]
    [4.8769, 3.357, 2.6803, 2.2898, 2.031]
    """
    times = _checked(information, sides)
    side = share("alpha", alpha) / sides
    totals = [sides * spent(t, side, spending, phi) for t in times]
    boundaries: list[float] = []
    path = _Path(sides)
    before = 0.0
    for t, total in zip(times, totals, strict=True):
        z = path.boundary(t, total - before)
        path = path.carried(t, z)
        boundaries.append(z)
        before = total
    method = f"group sequential, {spending} spending"
    return Schedule(method, times, tuple(boundaries), tuple(totals), alpha, sides)


def crossing_probabilities(
    information: Sequence[float], z: Sequence[float], drift: float = 0.0, sides: int = 2
) -> tuple[float, ...]:
    """The cumulative probability of having crossed by each look, with E[Z] = drift at information 1.

    With drift 0 the error spent; otherwise the power (two-sided: either boundary). Raises ValueError as
    ``group_sequential`` does.

    >>> round(crossing_probabilities([0.5, 1.0], [2.178272, 2.178272])[-1], 6)
    0.05
    """
    times = _checked(information, sides)
    if len(z) != len(times):
        raise ValueError(f"z must have {len(times)} values, got {len(z)}")
    path, total, out = _Path(sides, drift), 0.0, []
    for t, boundary in zip(times, z, strict=True):
        total += path.crossing(t, boundary)
        path = path.carried(t, boundary)
        out.append(total)
    return tuple(out)


def pocock_constant(looks: int, alpha: float = 0.05, sides: int = 2) -> float:
    """The one critical z for ``looks`` equally spaced looks (Pocock 1977, Biometrika).

    Raises ValueError for arguments out of range.

    >>> [round(pocock_constant(looks), 3) for looks in (2, 3, 4, 5)]
    [2.178, 2.289, 2.361, 2.413]
    """
    return _constant([1.0] * int(positive("looks", looks)), alpha, sides)


def obrien_fleming_constant(looks: int, alpha: float = 0.05, sides: int = 2) -> float:
    """C such that look k of K equally spaced ones stops beyond C sqrt(K / k) (O'Brien & Fleming 1979).

    Raises ValueError for arguments out of range.

    >>> round(obrien_fleming_constant(5), 3)
    2.04
    """
    k = int(positive("looks", looks))
    return _constant([sqrt(k / (i + 1)) for i in range(k)], alpha, sides)


def planned_look(
    estimate: float,
    standard_error: float,
    information: Sequence[float],
    alpha: float = 0.05,
    sides: int = 2,
    spending: Spending = "obrien_fleming",
    phi: float = 1.0,
) -> Estimate | NotEstimable:
    """The repeated confidence interval and p-value at the last of the looks made so far.

    Args: estimate and standard_error in the metric's unit at this look; information, the fractions of *all*
    looks made, this one last. The interval holds together with those of the other looks; the p-value is the
    alpha whose boundary it would just reach (Jennison & Turnbull 2000, ch. 9). One-sided: that the estimate
    is above 0, with a lower bound only. Returns ``NotEstimable`` for a zero standard error or when nothing is
    left to spend; raises ValueError for arguments out of their range.

    >>> result = planned_look(0.03, 0.01, [0.25, 0.5])
    >>> round(result.low, 4), round(result.high, 4), round(result.p_value, 4)
    (0.0004, 0.0596, 0.0469)
    """
    schedule = group_sequential(information, alpha, sides, spending, phi)
    finite("estimate", estimate)
    if nonnegative("standard_error", standard_error) == 0.0:
        return NotEstimable(schedule.method, "the standard error is zero: no variation was seen")
    critical = schedule.z[-1]
    if isinf(critical):
        return NotEstimable(schedule.method, "no error is left to spend at this look")
    z = estimate / standard_error
    reached = abs(z) if sides == 2 else z

    def beyond(logit: float) -> float:
        level = float(ndtr(logit))
        # Bounded: a level with nothing to spend has an infinite boundary, and a root finder interpolates.
        return min(group_sequential(information, level, sides, spending, phi).z[-1], 99.0) - reached

    high = float(ndtri(0.999 if sides == 2 else 0.499))
    low = float(ndtri(1e-250))
    if beyond(high) >= 0.0:
        p = 1.0
    elif beyond(low) <= 0.0:
        p = 1e-250
    else:
        p = float(ndtr(brentq(beyond, low, high, xtol=1e-6)))
    return Estimate(
        method=schedule.method,
        estimate=estimate,
        standard_error=standard_error,
        low=estimate - critical * standard_error,
        high=estimate + critical * standard_error if sides == 2 else inf,
        level=1.0 - alpha,
        p_value=p,
        assumptions=("looks were not timed by what they show", "information is n over the planned n"),
        details=(("z", z), ("critical", critical), ("spent", schedule.spent[-1])),
    )


@dataclass(frozen=True, slots=True)
class _Path:
    """The density of the score among paths that went on: nodes, density times weight, and information."""

    sides: int
    drift: float = 0.0
    information: float = 0.0
    nodes: Floats | None = None
    mass: Floats | None = None

    def crossing(self, t: float, z: float) -> float:
        """The probability of going on until now and crossing z at information t."""
        step = t - self.information
        nodes, mass = self._start()
        middle = (nodes + self.drift * step) / sqrt(step)
        end = z * sqrt(t / step)
        tails = ndtr(middle - end) + (ndtr(-middle - end) if self.sides == 2 else 0.0)
        return float(mass @ tails)

    def boundary(self, t: float, spend: float) -> float:
        """The z whose crossing at information t has the probability ``spend``; inf for nothing to spend."""
        if spend <= 1e-300 or self.crossing(t, 37.0) >= spend:
            return inf
        return float(
            brentq(lambda z: np.log(max(self.crossing(t, z), 1e-320) / spend), -37.0, 37.0, xtol=1e-12)
        )

    def carried(self, t: float, z: float) -> _Path:
        """The path after going on at information t below the boundary z."""
        step = t - self.information
        nodes, mass = self._start()
        centre, reach = self.drift * t, _REACH * sqrt(t)
        top = min(z * sqrt(t), centre + reach)
        bottom = max(-z * sqrt(t) if self.sides == 2 else -inf, centre - reach)
        # Panels as narrow as the sharpest feature of the density: the latest increment's spread.
        panels = max(8, int(np.ceil((top - bottom) / (1.5 * sqrt(step)))))
        edges = np.linspace(bottom, max(top, bottom + 1e-12), panels + 1)
        half = np.diff(edges)[:, None] / 2.0
        grid = (edges[:-1, None] + half * (1.0 + _NODES)).ravel()
        weights = (half * _WEIGHTS).ravel()
        density = _convolved(grid - self.drift * step, nodes, mass, sqrt(step))
        return _Path(self.sides, self.drift, t, grid, density * weights)

    def _start(self) -> tuple[Floats, Floats]:
        if self.nodes is None or self.mass is None:
            return np.zeros(1), np.ones(1)
        return self.nodes, self.mass


def _convolved(grid: Floats, nodes: Floats, mass: Floats, spread: float) -> Floats:
    """The density at the grid's points of ``mass`` at ``nodes`` (both ascending) after a normal step.

    In blocks, each with the nodes near enough to count: looks close together need a fine grid, of which all
    pairs would not fit into memory.
    """
    density = np.empty_like(grid)
    for start in range(0, grid.size, _BLOCK):
        part = grid[start : start + _BLOCK]
        reach = _REACH * spread
        near = slice(*np.searchsorted(nodes, (part[0] - reach, part[-1] + reach)))
        apart = (part[:, None] - nodes[near]) / spread
        density[start : start + _BLOCK] = np.exp(-0.5 * apart * apart) @ mass[near]
    return density / (sqrt(2.0 * np.pi) * spread)


def _constant(shape: Sequence[float], alpha: float, sides: int) -> float:
    """The factor by which boundaries of this shape, equally spaced, err with alpha."""
    share("alpha", alpha)
    looks = len(shape)
    times = [(k + 1) / looks for k in range(looks)]

    def excess(c: float) -> float:
        return crossing_probabilities(times, [c * each for each in shape], 0.0, sides)[-1] - alpha

    return float(brentq(excess, 0.0, 12.0, xtol=1e-10))


def _checked(information: Sequence[float], sides: int) -> tuple[float, ...]:
    one_of("sides", sides, (1, 2))
    times = tuple(float(t) for t in information)
    if not times:
        raise ValueError("information must have at least one look")
    for before, t in zip((0.0, *times), times, strict=False):
        if not before < t < inf:
            raise ValueError(f"information must increase from above 0, got {t!r} after {before!r}")
        if t - before < _NEAREST * t:
            raise ValueError(f"information must grow by {_NEAREST:g} of itself, got {t!r} after {before!r}")
    return times


METHODS: Final[dict[str, Callable[..., object]]] = {
    "group_sequential": group_sequential,
    "crossing_probabilities": crossing_probabilities,
    "pocock_constant": pocock_constant,
    "obrien_fleming_constant": obrien_fleming_constant,
    "planned_look": planned_look,
}
