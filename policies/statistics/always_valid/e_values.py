"""What do several e-values say together?

Independent evidence against the same hypothesis multiplies; evidence of unknown dependence is averaged
(Vovk & Wang 2021, "E-values: calibration, combination and applications", Annals of Statistics). Under the
hypothesis an e-value exceeds 1/alpha at any time with a probability of at most alpha (Ville 1939), so
``min(1, 1/e)`` is an anytime-valid p-value. All is done in natural logarithms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, inf, isnan, log
from typing import Final

import numpy as np
from scipy.special import logsumexp

from policies.statistics.result import NotEstimable, Test


def e_value_product(log_e_values: Sequence[float]) -> Test | NotEstimable:
    """The e-value of independent epochs (or of one stream's consecutive parts): the product.

    Args: natural logarithms; ``-inf`` is an e-value of 0. Returns ``NotEstimable`` for none; raises
    ValueError for NaN.

    >>> result = e_value_product([1.2, -0.4, 2.1])
    >>> round(result.log_e_value, 9), round(result.p_value, 9)
    (2.9, 0.05502322)
    """
    method = "product of e-values"
    if not _checked(log_e_values):
        return NotEstimable(method, "no e-value")
    # An e-value of zero ends the bet: nothing later can win it back, not even an infinite one.
    total = -inf if -inf in log_e_values else sum(log_e_values)
    return _judged(method, total, len(log_e_values), "the e-values are independent, or one stream's parts")


def e_value_mean(log_e_values: Sequence[float]) -> Test | NotEstimable:
    """The e-value of evidence of any dependence (metrics of one user, overlapping windows): the mean.

    Arguments, results and errors as for ``e_value_product``.

    >>> round(e_value_mean([1.2, -0.4, 2.1]).log_e_value, 6)
    1.399261
    """
    method = "mean of e-values"
    if not _checked(log_e_values):
        return NotEstimable(method, "no e-value")
    values = np.asarray(log_e_values, dtype=float)
    total = float(logsumexp(values)) - log(len(values)) if np.isfinite(values).any() else float(values.max())
    return _judged(method, total, len(log_e_values), "all e-values are against the same hypothesis")


def _checked(log_e_values: Sequence[float]) -> bool:
    for value in log_e_values:
        if isnan(value):
            raise ValueError(f"log_e_values must be numbers, got {value!r}")
    return len(log_e_values) > 0


def _judged(method: str, log_e: float, count: int, assumption: str) -> Test:
    return Test(method, log_e, exp(min(0.0, -log_e)), log_e, (assumption,), (("count", float(count)),))


METHODS: Final[dict[str, Callable[..., object]]] = {
    "e_value_product": e_value_product,
    "e_value_mean": e_value_mean,
}
