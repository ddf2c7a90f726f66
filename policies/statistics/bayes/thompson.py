"""Which weights would Thompson sampling give, computed rather than drawn?

The weight of a variant is its posterior probability to be the best (Thompson 1933), of normal posteriors by
Gauss-Hermite quadrature with 64 nodes: P(k best) = E[prod_{j != k} Phi((X_k - m_j) / s_j)]. Beside a much
narrower posterior that integrand is nearly a step, which Hermite nodes step over; there the nodes are laid in
panels around every posterior instead. Top-two (Russo 2020, "Simple Bayesian algorithms for best-arm
identification") gives half of the weight to the second best. A floor keeps every variant estimable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from policies.statistics.arguments import finite, one_of, positive
from policies.statistics.bayes.quadrature import panels, probability_best, probability_second

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
_CHANCE: Final = _WEIGHTS / _WEIGHTS.sum()
_RATIO: Final = 1.5  # of standard deviations, up to which 64 Hermite nodes are exact to 1e-10


def thompson_weights(
    means: Sequence[float], deviations: Sequence[float], *, sign: int = 1, floor: float = 0.0
) -> tuple[float, ...]:
    """Each variant's probability to be the best, with an additive floor: ``f + (1 - K f) w``.

    Args: posterior means and standard deviations by variant; sign -1 where less is better; floor, the least
    weight of one variant (choose it as a total budget over K). The weights sum to 1. Raises ValueError for
    no variant, a deviation not above 0, or K floors above 1.

    >>> weights = thompson_weights([0.100, 0.120, 0.125], [0.0094916, 0.0102813, 0.0104635])
    >>> [round(w, 4) for w in weights]
    [0.012, 0.3614, 0.6266]
    """
    centres, spreads = _checked(means, deviations, sign)
    return with_floor(_best(centres, spreads).tolist(), floor)


def top_two_weights(
    means: Sequence[float], deviations: Sequence[float], *, sign: int = 1, floor: float = 0.0
) -> tuple[float, ...]:
    """Half of P(best) and half of P(second best): explores more, to name the winner sooner.

    Arguments and errors as for ``thompson_weights``.

    >>> weights = top_two_weights([0.100, 0.120, 0.125], [0.0094916, 0.0102813, 0.0104635])
    >>> [round(w, 3) for w in weights]
    [0.051, 0.464, 0.484]
    """
    centres, spreads = _checked(means, deviations, sign)
    if len(centres) == 1:
        return with_floor([1.0], floor)
    halves = 0.5 * (_best(centres, spreads) + _second(centres, spreads))
    return with_floor(halves.tolist(), floor)


def probabilities_second(
    means: Sequence[float], deviations: Sequence[float], *, sign: int = 1
) -> tuple[float, ...]:
    """Each variant's probability to be the second best. Arguments and errors as for ``thompson_weights``.

    >>> probabilities_second([0.0, 1.0], [1e-3, 1e-3])
    (1.0, 0.0)
    """
    return tuple(_second(*_checked(means, deviations, sign)).tolist())


def with_floor(weights: Sequence[float], floor: float) -> tuple[float, ...]:
    """``f + (1 - K f) w``: no weight below the floor, the sum unchanged.

    Raises ValueError for a floor below 0 or K floors above 1.

    >>> with_floor([1.0, 0.0], 0.01)
    (0.99, 0.01)
    """
    count = len(weights)
    if not 0.0 <= floor <= 1.0 / count:
        raise ValueError(f"floor must be in [0, 1/{count}], got {floor!r}")
    return tuple(floor + (1.0 - count * floor) * weight for weight in weights)


def _best(centres: Floats, spreads: Floats) -> Floats:
    if spreads.max() <= _RATIO * spreads.min():
        x = centres[:, None] + spreads[:, None] * _NODES
        below = ndtr((x[:, None, :] - centres[None, :, None]) / spreads[None, :, None])
        k = np.arange(len(centres))
        below[k, k, :] = 1.0
        raw = np.prod(below, axis=1) @ _CHANCE
        return np.asarray(raw / raw.sum())
    return probability_best(*_on_panels(centres, spreads))


def _second(centres: Floats, spreads: Floats) -> Floats:
    return probability_second(*_on_panels(centres, spreads))


def _on_panels(centres: Floats, spreads: Floats) -> tuple[Floats, Floats, Floats]:
    x, weights = panels(centres, spreads)
    z = (x - centres[:, None]) / spreads[:, None]
    return np.exp(-0.5 * z * z) / (np.sqrt(2.0 * np.pi) * spreads[:, None]), ndtr(z), weights


def _checked(means: Sequence[float], deviations: Sequence[float], sign: int) -> tuple[Floats, Floats]:
    one_of("sign", sign, (1, -1))
    if len(means) != len(deviations) or not means:
        raise ValueError(
            f"means and deviations must be as many and not none, got {len(means)}, {len(deviations)}"
        )
    centres = sign * np.array([finite("means", mean) for mean in means])
    # From the best on: nodes beside a mean of 1e12 would have no digits left to differ by.
    return centres - centres.max(), np.array([positive("deviations", spread) for spread in deviations])


METHODS: Final[dict[str, Callable[..., object]]] = {
    "thompson_weights": thompson_weights,
    "top_two_weights": top_two_weights,
}
