"""How far apart are K variants over several epochs, though not every epoch had all of them?

The model is additive, mean of variant k in epoch e = theta_k + gamma_e, fitted by weighted least squares with
the precision p_ek of each epoch's mean as its weight. Eliminating the epochs leaves the normal equations
A theta = b with, over epochs,

    A = sum_e diag(p_e) - p_e p_e' / sum(p_e),    b = sum_e p_e (m_e - mbar_e),

mbar_e the epoch's weighted mean: the recovery of differences within blocks (Yates 1940; Searle 1971, "Linear
Models", ch. 7). A drift of the epochs' level leaves no trace in b, so variants that never shared an epoch are
compared through those that did. A is a graph's Laplacian, its edges the epochs that two variants share: only
variants joined by edges can be compared. As A and b are sums over epochs, they fold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.statistics.means import Mean
from policies.statistics.result import NotEstimable
from policies.statistics.strata.additive_fit import AdditiveFit, fitted
from policies.statistics.strata.laplacian import grounded_inverse, largest_component

Floats = NDArray[np.float64]

_METHOD: Final = "additive model of variants and epochs"


@dataclass(frozen=True, slots=True)
class Information:
    """What epochs say of K variants' differences: ``matrix`` A (K, K) and ``vector`` b (K,), see above.

    A is in 1 / unit squared, b in 1 / unit. Raises ValueError for other shapes.
    """

    matrix: Floats
    vector: Floats

    def __post_init__(self) -> None:
        count = len(self.vector)
        if self.vector.shape != (count,) or self.matrix.shape != (count, count):
            shapes = f"{self.matrix.shape} and {self.vector.shape}"
            raise ValueError(f"matrix and vector must have the shapes (K, K) and (K,), got {shapes}")

    @staticmethod
    def none(variants: int) -> Information:
        """No epoch yet: the neutral element of ``merge``.

        >>> Information.none(2).fit()
        NotEstimable(method='additive model of variants and epochs', reason='no two variants share an epoch')
        """
        return Information(np.zeros((variants, variants)), np.zeros(variants))

    def add(self, epoch_means: Sequence[Mean | None]) -> Information:
        """With one more epoch, (K,): None, or a mean without a variance, where a variant says nothing.

        Raises ValueError for another number of variants, or a variance of 0: its weight would be infinite,
        and leaving it out would favour epochs that happened to vary. Pool it, see ``pooled_variances``.

        >>> two = Information.none(2).add([Mean(1.0, 1.0, 9, 10), Mean(3.0, 1.0, 9, 10)])
        >>> two.matrix.tolist(), two.vector.tolist()
        ([[0.5, -0.5], [-0.5, 0.5]], [-1.0, 1.0])
        """
        count = len(self.vector)
        if len(epoch_means) != count:
            raise ValueError(
                f"an epoch must have a mean for each of {count} variants, got {len(epoch_means)}"
            )
        precision, value = np.zeros(count), np.zeros(count)
        for k, mean in enumerate(epoch_means):
            if mean is None or not (isfinite(mean.value) and isfinite(mean.variance)):
                continue
            if mean.variance <= 0.0:
                raise ValueError(f"variant {k}: variance must be > 0, got {mean.variance!r}; pool it first")
            precision[k], value[k] = 1.0 / mean.variance, mean.value
        total = precision.sum()
        if np.count_nonzero(precision) < 2:
            return self
        about = precision * (value - precision @ value / total)
        matrix = np.diag(precision) - np.outer(precision, precision / total)
        return Information(self.matrix + matrix, self.vector + about)

    def merge(self, other: Information) -> Information:
        """Of both sets of epochs. Raises ValueError for other numbers of variants.

        >>> one = Information.none(2).add([Mean(1.0, 1.0, 9, 10), Mean(3.0, 1.0, 9, 10)])
        >>> one.merge(one).vector.tolist()
        [-2.0, 2.0]
        """
        if self.vector.shape != other.vector.shape:
            shapes = f"{len(self.vector)} and {len(other.vector)}"
            raise ValueError(f"cannot merge information on {shapes} variants")
        return Information(self.matrix + other.matrix, self.vector + other.vector)

    def fit(self) -> AdditiveFit | NotEstimable:
        """The values A+ b with the covariance A+; ``NotEstimable`` when no two variants share an epoch.

        Of variants in several parts that nothing joins, the part with the most variants is kept (the first
        of those as large) and the others are named in ``not_estimable``. Raises nothing. Source: see above.

        >>> Information.none(2).add([Mean(1.0, 1.0, 9, 10), Mean(3.0, 1.0, 9, 10)]).fit().values
        (-1.0, 1.0)
        """
        kept = largest_component(self.matrix)
        if len(kept) < 2:
            return NotEstimable(_METHOD, "no two variants share an epoch")
        inside = np.ix_(kept, kept)
        grounded = grounded_inverse(self.matrix[inside])
        return fitted(grounded @ self.vector[kept], grounded, kept, len(self.vector))


def additive_means(means: Sequence[Sequence[Mean | None]]) -> AdditiveFit | NotEstimable:
    """K variants' values over E epochs by weighted least squares, with quasi-variances for each.

    Args: ``means[e][k]``, in the metric's unit, with its clustered variance; None where variant k had no
    traffic in epoch e (a mean without a finite variance counts as none). Epochs are taken as independent:
    units that come back in several make the variances too small (then see ``linear_map``).

    Returns the fit, contrasts that sum to 0; ``NotEstimable`` when no two variants share an epoch, or a
    variance is 0. Raises ValueError for epochs of different numbers of variants. Sources: Yates (1940) and
    Searle (1971) for the fit, Firth & de Menezes (2004), "Quasi-variances", for the variances.

    >>> def mean(value, variance=1.0):
    ...     return Mean(value, variance, 99.0, 100)
    >>> fit = additive_means([[mean(1.0), mean(2.0), None], [None, mean(12.0), mean(15.0)]])
    >>> [round(value, 9) for value in fit.values]
    [-1.666666667, -0.666666667, 2.333333333]
    """
    count = len(means[0]) if means else 0
    total = Information.none(count)
    for e, epoch in enumerate(means):
        for k, mean in enumerate(epoch):
            if mean is not None and mean.variance == 0.0:
                return NotEstimable(_METHOD, f"zero variance of variant {k} in epoch {e}: pool the variances")
        total = total.add(epoch)
    return total.fit()


def pooled_variances(
    means: Sequence[Sequence[Mean | None]], sizes: Sequence[Sequence[float]]
) -> list[list[Mean | None]]:
    """The same means, each with its variant's variance pooled over epochs: s2_k / size_ek.

    s2_k is the mean of ``variance_ek * size_ek`` by size. A variance from a few events is uncertain, often 0,
    and goes with the mean itself, so that weights taken from it favour epochs that happened to be low; one
    pooled over epochs does not. Args: means as for ``additive_means``; sizes (E, K), the outcomes counted.
    Raises ValueError for shapes that differ. Source: Cochran (1954), who weighs by sizes for this reason.

    >>> (one,), (two,) = pooled_variances([[Mean(0.0, 0.0, 9, 10)], [Mean(0.2, 0.016, 9, 10)]], [[10], [10]])
    >>> one.variance, two.variance
    (0.008, 0.008)
    """
    spread: dict[int, tuple[float, float]] = {}
    for epoch, row in zip(means, sizes, strict=True):
        for k, (mean, size) in enumerate(zip(epoch, row, strict=True)):
            if mean is not None and size > 0.0 and isfinite(mean.variance):
                square, total = spread.get(k, (0.0, 0.0))
                spread[k] = square + mean.variance * size * size, total + size
    return [
        [
            Mean(mean.value, spread[k][0] / spread[k][1] / size, mean.df, mean.n)
            if mean is not None and k in spread and size > 0.0
            else None
            for k, (mean, size) in enumerate(zip(epoch, row, strict=True))
        ]
        for epoch, row in zip(means, sizes, strict=True)
    ]


def linear_map(precisions: Floats) -> tuple[Floats, tuple[int, ...]] | NotEstimable:
    """How the fit follows from the epochs' means, for a covariance that the caller knows better.

    Where units come back in several epochs the means are correlated, and the fit's covariance is had from
    the combined influence of each unit's bucket (Liang & Zeger 1986): L applied to influences as to means.
    Args: precisions (E, K), 0 where a variant has no data; any weights give an unbiased fit.

    Returns L (C, E, K), so that value_c = sum over e, k of ``L[c, e, k] m_ek``, and the C variants it gives;
    ``NotEstimable`` when no two share an epoch. The values are relative to the variant with the most
    information, itself 0.

    >>> found, variants = linear_map(np.array([[1.0, 1.0], [3.0, 3.0]]))
    >>> variants, found.tolist()
    ((0, 1), [[[0.0, 0.0], [0.0, 0.0]], [[-0.25, 0.25], [-0.75, 0.75]]])
    """
    total = precisions.sum(axis=1)
    shares = precisions / np.where(total > 0.0, total, 1.0)[:, None]
    matrix = np.diag(precisions.sum(axis=0)) - shares.T @ precisions
    kept = largest_component(matrix)
    if len(kept) < 2:
        return NotEstimable(_METHOD, "no two variants share an epoch")
    grounded = np.zeros((len(kept), len(matrix)))
    grounded[:, kept] = grounded_inverse(matrix[kept][:, kept])
    # b_c = sum_k p_ec (1[c = k] - share_ek) m_ek, by epoch.
    found = grounded[:, None, :] * precisions
    found -= (grounded @ precisions.T)[:, :, None] * shares
    return found, tuple(kept)


METHODS: Final[dict[str, Callable[..., object]]] = {"additive_means": additive_means}
