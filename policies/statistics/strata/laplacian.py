"""Which variants do shared epochs join, and what is the inverse of their information?

The information on differences is a weighted graph's Laplacian (Klein & Randic 1993): its edges are the epochs
that two variants share, and its generalised inverses are covariances of the variants' values.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def largest_component(matrix: Floats) -> list[int]:
    """The variants of the largest connected part of a Laplacian (K, K), in order; the first of equals.

    >>> largest_component(np.array([[1.0, 0.0, -1.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 1.0]]))
    [0, 2]
    """
    if np.count_nonzero(matrix) == matrix.size:
        return list(range(len(matrix)))
    left, largest = set(range(len(matrix))), list[int]()
    while left:
        part = frontier = {min(left)}
        while frontier:
            joined = set(np.flatnonzero(matrix[list(frontier)].any(axis=0)).tolist())
            frontier = joined - part
            part = part | frontier
        left -= part
        largest = max(largest, sorted(part), key=len)
    return largest


def grounded_inverse(laplacian: Floats) -> Floats:
    """A generalised inverse (C, C) of a connected Laplacian: 0 in the row of the best known variant.

    Relative to that one, small variances between well known variants are not lost beside large ones. Raises
    nothing.

    >>> grounded_inverse(np.array([[0.5, -0.5], [-0.5, 0.5]])).tolist()
    [[0.0, 0.0], [0.0, 2.0]]
    """
    ground = int(np.argmax(np.diag(laplacian)))
    others = laplacian.copy()
    others[ground], others[:, ground] = 0.0, 0.0
    others[ground, ground] = 1.0
    inverse = np.asarray(np.linalg.inv(others), np.float64)
    inverse[ground, ground] = 0.0
    return inverse
