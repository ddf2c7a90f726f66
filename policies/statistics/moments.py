"""What is known of rows of numbers in count, means and centred co-moments?

They are enough for every method here, merge exactly, and do not cancel under a large offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from policies.statistics.arguments import finite, whole

# Differences this small beside what was subtracted are rounding, not variation.
ROUNDING: Final = 8 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, means (k,) and centred co-moments (k, k) of k quantities over ``count`` rows.

    ``comoments[i][j]`` is the sum over rows of (x_i - mean_i)(x_j - mean_j). Centred moments do not cancel
    under a large offset, as raw sums of squares do; they merge exactly (Chan, Golub & LeVeque 1979).
    ``rest`` (k,) is what each mean's own rounding left over, () where it is not known: two means near 1e12
    that differ by 1 would else agree with the truth to 4 digits of their difference only (see ``gap``).
    """

    count: int
    mean: tuple[float, ...]
    comoments: tuple[tuple[float, ...], ...]
    rest: tuple[float, ...] = ()

    @staticmethod
    def empty(width: int = 1) -> Moments:
        """The moments of no rows of ``width`` quantities: the neutral element of ``merge``.

        >>> Moments.empty(2).merge(Moments.from_values([[1.0, 2.0]])).mean
        (1.0, 2.0)
        """
        return Moments(0, (0.0,) * width, ((0.0,) * width,) * width)

    @staticmethod
    def from_values(values: ArrayLike) -> Moments:
        """From rows (n,) or (n, k), in two passes with the correction for the mean's own rounding.

        Raises ValueError for another shape or a value that is not finite. Source: Chan, Golub & LeVeque
        (1983), the corrected two-pass algorithm.

        >>> Moments.from_values([1.0, 2.0, 4.0]).variance()
        2.333333333333333
        """
        rows = np.asarray(values, dtype=np.float64)
        rows = rows[:, None] if rows.ndim == 1 else rows
        if rows.ndim != 2:
            raise ValueError(f"values must have the shape (n,) or (n, k), got {rows.shape}")
        wrong = np.argwhere(~np.isfinite(rows))
        if wrong.size:
            row, column = wrong[0].tolist()
            where = f"values[{row}]" if np.ndim(values) == 1 else f"values[{row}][{column}]"
            finite(where, float(rows[row, column]))
        count, width = rows.shape
        if count == 0:
            return Moments.empty(width)
        # A sum of equal values is rounded, and so would be their mean.
        rough = np.where(rows.max(axis=0) == rows.min(axis=0), rows[0], rows.mean(axis=0))
        centred = rows - rough
        slip = centred.mean(axis=0)
        products = centred.T @ centred - count * np.outer(slip, slip)
        mean, rest = _two_sum(rough.tolist(), slip.tolist())
        return Moments(count, mean, _rows(products), rest)

    @staticmethod
    def from_sums(n: int, sums: Sequence[float], cross_products: Sequence[Sequence[float]]) -> Moments:
        """From raw sums (k,) and raw cross products (k, k), centred in exact rational arithmetic.

        The subtraction that cancels in floating point is exact here; what the given sums have already lost
        stays lost, so a variance below the rounding of floating-point sums counts as none. Raises
        ValueError for a count that is not whole or negative, sums or products that are not finite, or shapes
        that do not fit.

        >>> Moments.from_sums(3, (7,), ((21,),)).variance()
        2.3333333333333335
        """
        width = len(sums)
        n = whole("n", n)
        if len(cross_products) != width or any(len(row) != width for row in cross_products):
            raise ValueError(f"cross_products must have the shape ({width}, {width})")
        for i in range(width):
            finite(f"sums[{i}]", sums[i])
            for j in range(width):
                finite(f"cross_products[{i}][{j}]", cross_products[i][j])
        if n == 0:
            return Moments.empty(width)
        total = [_exact(value) for value in sums]
        centred = tuple(
            tuple(_centred(cross_products[i][j], total[i] * total[j] / n, n) for j in range(width))
            for i in range(width)
        )
        mean = tuple(float(value / n) for value in total)
        rest = tuple(float(value / n - Fraction(near)) for value, near in zip(total, mean, strict=True))
        return Moments(n, mean, centred, rest)

    @staticmethod
    def from_successes(successes: int, trials: int) -> Moments:
        """Of ``trials`` outcomes of which ``successes`` are 1 and the rest 0.

        >>> Moments.from_successes(1, 4).mean
        (0.25,)
        """
        if whole("successes", successes) > whole("trials", trials):
            raise ValueError(f"successes must be in 0..{trials}, got {successes!r}")
        return Moments.from_sums(trials, (successes,), ((successes,),))

    @property
    def width(self) -> int:
        """How many quantities a row has."""
        return len(self.mean)

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets of rows together: associative and order-free up to rounding.

        >>> Moments.from_values([1.0, 2.0]).merge(Moments.from_values([4.0])).mean
        (2.333333333333333,)
        """
        if self.width != other.width:
            raise ValueError(f"cannot merge moments of {self.width} and {other.width} quantities")
        count = self.count + other.count
        if self.count == 0 or other.count == 0:
            return other if self.count == 0 else self
        delta = [self.gap(other, i) for i in range(self.width)]
        share = other.count / count
        moved = [self._rest(i) + d * share for i, d in enumerate(delta)]
        mean, rest = _two_sum(self.mean, moved)
        weight = self.count * share
        k = range(self.width)
        products = tuple(
            tuple(self.comoments[i][j] + other.comoments[i][j] + delta[i] * delta[j] * weight for j in k)
            for i in k
        )
        return Moments(count, mean, products, rest)

    def gap(self, other: Moments, i: int = 0) -> float:
        """The other's mean of quantity i less this one's, in its unit, as if the means had not been rounded.

        Source: the error-free sum of Knuth (1969) keeps the rounding.

        >>> a, b = Moments.from_values([1e12, 1e12, 1e12 + 1]), Moments.from_values([1e12 + 1] * 3)
        >>> round(a.gap(b), 9), round(b.mean[0] - a.mean[0], 5)
        (0.666666667, 0.66663)
        """
        return (other.mean[i] - self.mean[i]) + (other._rest(i) - self._rest(i))

    def _rest(self, i: int) -> float:
        return self.rest[i] if self.rest else 0.0

    def variance(self, i: int = 0) -> float:
        """The sample variance (n - 1 below) of quantity i; NaN for fewer than two rows.

        In the unit squared. Raises IndexError for no such quantity.

        >>> Moments.from_values([1.0, 3.0]).variance()
        2.0
        """
        return self.covariance(i, i)

    def covariance(self, i: int, j: int) -> float:
        """The sample covariance (n - 1 below) of quantities i and j; NaN for fewer than two rows.

        In the product of both units. Raises IndexError for no such quantity.

        >>> Moments.from_values([[1.0, 1.0], [3.0, 2.0]]).covariance(0, 1)
        1.0
        """
        if self.count < 2:
            return float("nan")
        value = self.comoments[i][j] / (self.count - 1)
        return max(value, 0.0) if i == j else value

    def deviation(self, i: int = 0) -> float:
        """The sample standard deviation of quantity i; NaN for fewer than two rows.

        In the unit. Raises IndexError for no such quantity.

        >>> Moments.from_values([1.0, 3.0]).deviation()
        1.4142135623730951
        """
        return sqrt(self.variance(i))


def _two_sum(one: Sequence[float], other: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Each sum as a float, and what its rounding left over, exactly (Knuth 1969)."""
    total = tuple(a + b for a, b in zip(one, other, strict=True))
    back = [t - a for t, a in zip(total, one, strict=True)]
    rest = tuple((a - (t - r)) + (b - r) for a, b, t, r in zip(one, other, total, back, strict=True))
    return total, rest


def _exact(value: float) -> Fraction:
    """Any number, numpy's included, as the exact fraction it is."""
    return Fraction(value.item() if isinstance(value, np.generic) else value)


def _centred(product: float, expected: Fraction, n: int) -> float:
    """A raw cross product of n rows less what the means explain; 0 where only summing's rounding is left."""
    difference = float(_exact(product) - expected)
    exact = isinstance(product, (int, np.integer))
    return 0.0 if not exact and abs(difference) <= ROUNDING * sqrt(n) * abs(product) else difference


def _rows(matrix: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
