"""What is one histogram of several epochs, when the epochs had different weights?

Direct standardisation, every epoch at one share: Cochran (1954).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from policies.statistics.quantile.ranked import checked_histogram
from policies.statistics.result import NotEstimable

Floats = NDArray[np.float64]


def over_epochs(a: Sequence[ArrayLike], b: Sequence[ArrayLike]) -> tuple[Floats, Floats] | NotEstimable:
    """Two variants' histograms over several epochs, (G, K) each, with every epoch at one share in both.

    Summing histograms over epochs of different weights would compare one variant's mornings with the other's
    evenings. Here each epoch counts by its share of all requests, in both variants; epochs that lack one of
    them count in neither. Totals are the effective sizes, 1 / sum_e W_e**2 / n_e, so that what is computed of
    them has the right variance. Returns ``NotEstimable`` when no epoch has both.

    >>> morning, evening = np.eye(2, 600), np.eye(2, 600, k=50)
    >>> a, b = over_epochs([9 * morning, evening], [morning, 9 * evening])
    >>> bool(np.allclose(a, b))
    True
    """
    if len(a) != len(b):
        raise ValueError(f"a and b must have as many epochs, got {len(a)} and {len(b)}")
    pairs = [(checked_histogram(one), checked_histogram(two)) for one, two in zip(a, b, strict=True)]
    pairs = [(one, two) for one, two in pairs if one.any() and two.any()]
    if not pairs:
        return NotEstimable("quantiles over epochs", "no epoch in which both variants had requests")
    sizes = np.array([[one.sum(), two.sum()] for one, two in pairs])
    weights = sizes.sum(axis=1) / sizes.sum()
    first, second = (
        standardised(np.array([pair[side] for pair in pairs]), sizes[:, side], weights) for side in (0, 1)
    )
    return first, second


def standardised(histograms: Floats, sizes: Floats, weights: Floats) -> Floats:
    """One variant's histograms (E, G, K) of ``sizes`` > 0 (E,) as one (G, K), at the shares ``weights`` (E,).

    The total is the effective size, ``1 / sum_e W_e**2 / n_e``. Raises nothing. Source: Cochran (1954).

    >>> epochs = np.array([np.eye(2, 3), 9 * np.eye(2, 3, k=1)])
    >>> standardised(epochs, np.array([2.0, 18.0]), np.array([0.5, 0.5])).round(2).tolist()
    [[1.8, 1.8, 0.0], [0.0, 1.8, 1.8]]
    """
    factors = weights / sizes / float((weights**2 / sizes).sum())
    # A product for each group, small enough for one processor: see ``over_rows``.
    total: Floats = factors @ histograms.swapaxes(0, 1)
    return total


METHODS: Final[dict[str, Callable[..., object]]] = {"histograms_over_epochs": over_epochs}
