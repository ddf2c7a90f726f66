"""How many units does the normal approximation need for so skewed a metric?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from policies.statistics.arguments import numbers
from policies.statistics.result import Estimate, NotEstimable


def least_units(values: ArrayLike) -> Estimate | NotEstimable:
    """The rule of thumb ``355 skewness**2`` units per variant, from a sample of the metric (n,).

    The skewness is the biased one, ``m3 / m2**1.5``, as in the rule. Capping the metric lowers it. Details
    ``skewness``. ``NotEstimable`` for fewer than three values or values that do not vary. Raises ValueError
    unless values is one-dimensional and finite. Source: Kohavi, Deng, Longbotham & Xu (2014), rule 7.

    >>> round(least_units([1, 2, 2, 3, 3, 3, 4, 5, 8, 250.0]).estimate)
    2519
    """
    sample = np.asarray(values, np.float64)
    if sample.ndim != 1:
        raise ValueError(f"values must have the shape (n,), got {sample.shape}")
    numbers("values", sample)
    if sample.size < 3:
        return NotEstimable("least units", f"{sample.size} values, 3 are needed")
    if sample.max() == sample.min():
        return NotEstimable("least units", "zero variance")
    centred = sample - sample.mean()
    skewness = float((centred**3).mean() / (centred**2).mean() ** 1.5)
    return Estimate("least units", 355.0 * skewness**2, details=(("skewness", skewness),))


METHODS: Final[dict[str, Callable[..., object]]] = {"least_units": least_units}
