"""Which rule follows from what the variants earned, by features?

A ridge regression for each variant: A = l2 I + X'X, theta = A^-1 X'y, the posterior of theta being
N(theta, s2 A^-1) with s2 the residual variance of all variants together (Agrawal & Goyal 2013).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from policies.statistics.observed import ObservedLinear

Floats = NDArray[np.float64]


def learn(
    sums: Mapping[str, ObservedLinear], variants: Sequence[str], dimension: int, *, sign: int, l2: float
) -> tuple[dict[str, dict[str, Any]], float]:
    """The coefficients and factors of each variant, as `Scorer` reads them, and the residual deviation.

    ``sign`` is -1 where less reward is better. A variant of which nothing is known has zero coefficients and
    the widest of factors. The deviation, in the reward's unit, is 1 before there is anything to take it from.
    """
    arms, residual, freedom = {}, 0.0, 0.0
    for variant in variants:
        known = sums.get(variant)
        gram = np.zeros((dimension, dimension)) if known is None else np.asarray(known.gram)
        moment = np.zeros(dimension) if known is None else np.asarray(known.moment)
        lower = np.linalg.cholesky(gram + l2 * np.eye(dimension))
        inverse = solve_triangular(lower, np.eye(dimension), lower=True)
        theta = inverse.T @ (inverse @ moment)
        if known is not None:
            residual += max(known.square - 2.0 * float(theta @ moment) + float(theta @ gram @ theta), 0.0)
            freedom += max(known.count - float(np.sum((inverse @ gram) * inverse)), 0.0)
        arms[variant] = {
            "theta": (sign * theta).tolist(),
            "factor": [inverse[row, : row + 1].tolist() for row in range(dimension)],
        }
    deviation = sqrt(residual / freedom) if freedom >= 1.0 and residual > 0.0 else 1.0
    return arms, deviation
