"""With which probability does each variant get a request with these features?

Linear Thompson sampling (Agrawal & Goyal 2013, "Thompson sampling for contextual bandits with linear
payoffs") gives each variant its posterior probability to be the best for this request, computed rather than
drawn; LinUCB (Li et al. 2010) all of it to the largest index. A floor is mixed in, so that every variant has
a known probability that is not 0. The request is then assigned with just these probabilities, so what is
recorded is exact, however the probabilities came about.

Standard library only, and a few microseconds for a handful of variants and features: requests run this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import erfc, sqrt
from operator import add, mul, sub
from typing import Any, Final

_REACH: Final = 4.0  # standard deviations
_QUANTILES: Final = (-4.0, -2.5, -1.75, -1.2, -0.75, -0.35, 0.0, 0.35, 0.75, 1.2, 1.75, 2.5, 4.0)
_ROOT_HALF: Final = sqrt(0.5)


class Scorer:
    """The probabilities of a plan's variants, by features.

    The rule holds, by variant: ``theta`` (d,), the coefficients, and ``factor``, the rows of L^-1 (row i has
    i + 1 numbers) of A = L L', so that x' A^-1 x is the squared length of L^-1 x; ``scale``, by which that
    length becomes a standard deviation; ``choice``, thompson or ucb; ``floor``, the total probability that is
    spread evenly. Without any coefficients the plan's own weights are the probabilities.
    """

    __slots__ = ("_factors", "_floor", "_scale", "_shares", "_thetas", "_thompson", "names")

    def __init__(self, rule: Mapping[str, Any], weights: Mapping[str, float]) -> None:
        self.names = tuple(sorted(name for name, weight in weights.items() if weight > 0))
        total = sum(weights[name] for name in self.names)
        self._shares = [weights[name] / total for name in self.names]
        arms = rule["arms"]
        self._thetas = [tuple(arms[name]["theta"]) for name in self.names] if arms else []
        self._factors = [tuple(map(tuple, arms[name]["factor"])) for name in self.names] if arms else []
        self._scale = float(rule["scale"])
        self._thompson = rule["choice"] == "thompson"
        self._floor = float(rule["floor"]) / len(self.names)

    def probabilities(self, x: Sequence[float]) -> list[float]:
        """Of each of ``names``, for features (d,); above 0 and summing to 1."""
        thetas = self._thetas
        if not thetas:
            return self._shares
        means = [sum(map(mul, theta, x)) for theta in thetas]
        scale = self._scale
        spreads = []
        for factor in self._factors:
            squared = 0.0
            for row in factor:
                part = sum(map(mul, row, x))
                squared += part * part
            spreads.append(scale * sqrt(squared))
        best = probability_best(means, spreads) if self._thompson else largest_index(means, spreads)
        floor = self._floor
        rest = 1.0 - floor * len(best)
        return [floor + rest * each for each in best]


def largest_index(means: Sequence[float], widths: Sequence[float]) -> list[float]:
    """1 for the variant with the largest mean + width, shared where several have it.

    >>> largest_index([0.1, 0.3], [0.1, 0.0])
    [0.0, 1.0]
    """
    indices = [mean + width for mean, width in zip(means, widths, strict=True)]
    best = max(indices)
    ties = indices.count(best)
    return [1.0 / ties if index == best else 0.0 for index in indices]


def probability_best(means: Sequence[float], spreads: Sequence[float]) -> list[float]:
    """Of independent normals, each one's probability to be the largest; they sum to 1.

    For two in closed form. Else P(k) is the integral of the others' distribution functions over F_k, by the
    trapezoid rule on a grid of quantiles of all of them, so that a narrow one beside a wide one is seen as
    well; within 0.005 of the exact value. Those that cannot be the
    largest, by 4 standard deviations, are left out.

    >>> [round(each, 3) for each in probability_best([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])]
    [0.333, 0.333, 0.333]
    """
    if min(spreads) <= 0.0:
        return largest_index(means, [0.0] * len(means))
    low = max([mean - _REACH * spread for mean, spread in zip(means, spreads, strict=True)])
    able = [k for k in range(len(means)) if means[k] + _REACH * spreads[k] > low]
    chances = [0.0] * len(means)
    if len(able) == 1:
        chances[able[0]] = 1.0
        return chances
    if len(able) == 2:
        one, other = able
        gap = (means[other] - means[one]) / sqrt(2.0 * (spreads[one] ** 2 + spreads[other] ** 2))
        chances[one] = 0.5 * erfc(gap)
        chances[other] = 1.0 - chances[one]
        return chances

    grid = [means[k] + spreads[k] * z for k in able for z in _QUANTILES]
    grid = sorted([point for point in grid if point >= low])
    below = []
    for k in able:
        mean, scale = means[k], _ROOT_HALF / spreads[k]
        below.append([erfc((mean - point) * scale) for point in grid])
    # Of all but one, by what comes before it and what comes after it: no product is taken anew for each.
    before = [below[0]]
    for own in below[1:-1]:
        before.append(list(map(mul, before[-1], own)))
    after = below[-1]
    masses = [_mass(after, before[-1])]
    for k in range(len(below) - 2, 0, -1):
        masses.append(_mass(below[k], list(map(mul, before[k - 1], after))))
        after = list(map(mul, after, below[k]))
    masses.append(_mass(below[0], after))
    masses.reverse()
    total = sum(masses)
    for k, mass in zip(able, masses, strict=True):
        chances[k] = mass / total
    return chances


def _mass(own: list[float], others: list[float]) -> float:
    """The integral of ``others`` over ``own``, (g,) each."""
    mass: float = sum(map(mul, map(sub, own[1:], own), map(add, others, others[1:])))
    return mass
