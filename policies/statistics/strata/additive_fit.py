"""How are K variants put on one scale, when only their differences are known, and with which variances?

Firth & de Menezes (2004), "Quasi-variances", Biometrika.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Floats = NDArray[np.float64]

_LEAST_SHARE: Final = 1e-6  # of the smallest variance of a difference: no quasi-variance is smaller


@dataclass(frozen=True, slots=True)
class AdditiveFit:
    """K variants on one scale, their common level taken out: the ``values`` sum to 0, in the metric's unit.

    ``covariance`` (K, K) is theirs. ``quasi_variances`` (K,) stand in for it: v_j + v_k is the variance of
    the difference of j and k, exactly for two and three variants, else as nearly as can be; ``worst_error``
    is the largest relative error of such a difference's standard error. ``not_estimable``
    are the variants that nothing joins to the others: NaN values, infinite quasi-variances.
    """

    values: tuple[float, ...]
    quasi_variances: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    worst_error: float = 0.0
    not_estimable: tuple[int, ...] = ()


def fitted(values: Floats, covariance: Floats, kept: Sequence[int], count: int) -> AdditiveFit:
    """A fit of ``count`` variants from values (C,) and covariance (C, C) of those ``kept``, on any level.

    In the metric's unit (squared). Raises nothing. Source: Firth & de Menezes (2004) for the quasi-variances.

    >>> fit = fitted(np.array([1.0, 3.0]), np.diag([1.0, 1.0]), (0, 1), 3)
    >>> fit.values, fit.quasi_variances, fit.not_estimable
    ((-1.0, 1.0, nan), (1.0, 1.0, inf), (2,))
    """
    centre = np.eye(len(kept)) - 1.0 / len(kept)
    diagonal = np.diag(covariance)
    apart, worst = quasi_variances(diagonal[:, None] + diagonal - 2.0 * covariance)
    value, variance = np.full(count, nan), np.full(count, inf)
    square = np.full((count, count), nan)
    value[list(kept)], variance[list(kept)] = values - values.mean(), apart
    square[np.ix_(kept, kept)] = centre @ covariance @ centre
    return AdditiveFit(
        values=tuple(value.tolist()),
        quasi_variances=tuple(variance.tolist()),
        covariance=tuple(map(tuple, square.tolist())),
        worst_error=worst,
        not_estimable=tuple(k for k in range(count) if k not in kept),
    )


def quasi_variances(variances: Floats) -> tuple[Floats, float]:
    """v (K,) such that v_j + v_k is nearest to ``variances[j, k]``, and the worst relative standard error.

    Nearest in relative terms, least squares of (v_j + v_k) / var_jk - 1, and no v below 0. Exact for two
    variants (half each) and for three, as the variances of a graph's differences are a metric: its effective
    resistances (Klein & Randic 1993). Args: variances of the differences (K, K), off the diagonal above 0, of
    two variants or more. Raises nothing. Source: Firth & de Menezes (2004).

    >>> apart, worst = quasi_variances(np.array([[0.0, 3.0, 4.0], [3.0, 0.0, 5.0], [4.0, 5.0, 0.0]]))
    >>> np.round(apart, 9).tolist(), round(worst, 9)
    ([1.0, 2.0, 3.0], 0.0)
    """
    count = len(variances)
    first, second = np.nonzero(np.less.outer(np.arange(count), np.arange(count)))
    between = variances[first, second]
    if count == 2:
        return np.full(2, between[0] / 2.0), 0.0
    least = _LEAST_SHARE * float(between.min())
    rows = np.zeros((len(between), count))
    rows[np.arange(len(between)), first] = rows[np.arange(len(between)), second] = 1.0 / between
    apart = least + nnls(rows, 1.0 - 2.0 * least / between)[0]
    error = np.abs(np.sqrt((apart[first] + apart[second]) / between) - 1.0)
    return apart, float(error.max())
