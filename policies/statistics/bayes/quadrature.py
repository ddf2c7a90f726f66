"""Which of several independent posteriors is the largest, and by how much is a choice expected to miss?

For densities f_k and distribution functions F_k (the maximum's distribution: David & Nagaraja 2003, "Order
Statistics", 2.1),

    P(k best) = int f_k prod_{j != k} F_j,    E[loss of k] = int F_k (1 - prod_{j != k} F_j)

(the second is the mean of the positive part of the best other minus k: no difference of near-equal numbers).
Gauss-Legendre on panels laid around every posterior's own centre and spread, so that a very narrow one beside
a very wide one is still seen; no sampling, so the same evidence always gives the same answer.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_STEPS: Final = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.5, 8.0, 12.0, 20.0, 40.0])


def panels(centres: Floats, spreads: Floats) -> tuple[Floats, Floats]:
    """Nodes and weights (N,) covering every posterior from end to end of its mass.

    Args: centres and spreads (K,), each spread above 0; raises nothing.

    >>> nodes, weights = panels(np.array([0.0]), np.array([1.0]))
    >>> float(np.round(weights @ np.exp(-nodes**2 / 2) / np.sqrt(2 * np.pi), 12))
    1.0
    """
    steps = np.concatenate((-_STEPS[:0:-1], _STEPS))
    edges = np.unique(centres[:, None] + spreads[:, None] * steps)
    half = np.diff(edges)[:, None] / 2.0
    return (edges[:-1, None] + half * (1.0 + _NODES)).ravel(), (half * _WEIGHTS).ravel()


def probability_best(density: Floats, below: Floats, weights: Floats) -> Floats:
    """P(each is the largest), (K,), from densities and distribution functions at the nodes, (K, N).

    Normalised to sum to exactly 1: what the quadrature leaves open is rounding. Raises nothing.

    >>> from scipy.special import ndtr
    >>> nodes, weights = panels(np.array([0.0, 1.0]), np.ones(2))
    >>> z = nodes - np.array([[0.0], [1.0]])
    >>> density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    >>> np.round(probability_best(density, ndtr(z), weights), 6).tolist()
    [0.23975, 0.76025]
    """
    raw = np.array([weights @ (density[k] * others) for k, others in enumerate(_products(below))])
    return np.asarray(raw / raw.sum())


def probability_second(density: Floats, below: Floats, weights: Floats) -> Floats:
    """P(each is the second largest), (K,): one other lies above, all the rest below. Raises nothing.

    >>> from scipy.special import ndtr
    >>> nodes, weights = panels(np.array([0.0, 1.0]), np.ones(2))
    >>> z = nodes - np.array([[0.0], [1.0]])
    >>> density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    >>> np.round(probability_second(density, ndtr(z), weights), 6).tolist()
    [0.76025, 0.23975]
    """
    out = []
    for k in range(len(below)):
        rest = [j for j in range(len(below)) if j != k]
        one_above = sum((1.0 - below[j]) * np.prod([below[i] for i in rest if i != j], axis=0) for j in rest)
        out.append(float(weights @ (density[k] * one_above)))
    total = sum(out)
    return np.array(out) / total if total > 0.0 else np.array(out)


def expected_loss(below: Floats, weights: Floats) -> Floats:
    """What choosing each is expected to miss against the best, (K,), in the posteriors' unit; raises nothing.

    >>> from scipy.special import ndtr
    >>> nodes, weights = panels(np.array([0.0, 1.0]), np.ones(2))
    >>> below = ndtr(nodes - np.array([[0.0], [1.0]]))
    >>> np.round(expected_loss(below, weights), 6).tolist()
    [1.199641, 0.199641]
    """
    return np.array([weights @ (below[k] * (1.0 - others)) for k, others in enumerate(_products(below))])


def _products(below: Floats) -> list[Floats]:
    """For each k the product of the other distribution functions at the nodes."""
    return [np.prod(np.delete(below, k, axis=0), axis=0) for k in range(len(below))]
