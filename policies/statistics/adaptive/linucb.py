"""How good might a variant be for this request's features? (disjoint LinUCB)

Li, Chu, Langford & Schapire (2010, "A contextual-bandit approach to personalized news article
recommendation"). Per variant A = l2 I + X'X and b = X'y, which add over workers and epochs;
theta = A^-1 b, index = x'theta + alpha sqrt(x' A^-1 x).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve

from policies.statistics.arguments import nonnegative, positive

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinearEvidence:
    """One variant's X'X (d, d) and X'y (d,) over its requests; ``merge`` adds them."""

    gram: Floats
    moment: Floats

    @staticmethod
    def from_rows(features: ArrayLike, rewards: ArrayLike) -> LinearEvidence:
        """From features (n, d) and rewards (n,). Raises ValueError for other shapes.

        >>> LinearEvidence.from_rows([[1.0, 2.0]], [3.0]).moment.tolist()
        [3.0, 6.0]
        """
        x, y = np.asarray(features, dtype=float), np.asarray(rewards, dtype=float)
        if x.ndim != 2 or y.shape != x.shape[:1]:
            raise ValueError(f"features and rewards must be (n, d) and (n,), got {x.shape} and {y.shape}")
        return LinearEvidence(x.T @ x, x.T @ y)

    def merge(self, other: LinearEvidence) -> LinearEvidence:
        """The evidence of both sets of requests. Raises ValueError for features of different dimensions.

        >>> one = LinearEvidence.from_rows([[1.0, 2.0]], [3.0])
        >>> one.merge(one).moment.tolist()
        [6.0, 12.0]
        """
        if self.gram.shape != other.gram.shape:
            raise ValueError(f"cannot merge features of {len(self.gram)} and {len(other.gram)} dimensions")
        return LinearEvidence(self.gram + other.gram, self.moment + other.moment)


@dataclass(frozen=True, slots=True)
class LinearIndex:
    """Coefficients (d,), predicted reward, its width sqrt(x' A^-1 x), and mean + alpha width."""

    theta: tuple[float, ...]
    mean: float
    width: float
    index: float


def linucb(evidence: LinearEvidence, x: ArrayLike, alpha: float = 1.0, l2: float = 1.0) -> LinearIndex:
    """The index of one variant for features ``x`` (d,); l2 > 0 is the ridge, alpha >= 0 the exploration.

    Raises ValueError for features of another dimension or arguments out of range.

    >>> seen = LinearEvidence.from_rows([[1.0, 0.2], [1.0, 0.4]], [1.0, 0.8])
    >>> round(linucb(seen, [1.0, 0.5]).index, 6)
    1.289942
    """
    features = np.asarray(x, dtype=float)
    if features.shape != evidence.moment.shape:
        raise ValueError(f"x must have the shape {evidence.moment.shape}, got {features.shape}")
    ridge = evidence.gram + positive("l2", l2) * np.eye(len(features))
    factor = cho_factor(ridge, lower=True)
    theta = cho_solve(factor, evidence.moment)
    width = float(np.sqrt(features @ cho_solve(factor, features)))
    mean = float(features @ theta)
    return LinearIndex(tuple(theta.tolist()), mean, width, mean + nonnegative("alpha", alpha) * width)


METHODS: Final[dict[str, Callable[..., object]]] = {"linucb": linucb}
