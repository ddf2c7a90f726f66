"""Between which bounds is the mean of values in [0, 1], at any time, in closed form?

The predictable plug-in empirical-Bernstein confidence sequence (Waudby-Smith & Ramdas 2024, "Estimating means
of bounded random variables by betting", JRSS B, Theorem 2). With predictable means m_{i-1} and variances
s2_{i-1} (shrunk towards 1/2 and 1/4),

    l_i = min(1/2, sqrt(2 ln(2/alpha) / (s2_{i-1} i ln(1 + i)))),    psi(l) = -ln(1 - l) - l
    sum l_i x_i / sum l_i  +-  (ln(2/alpha) + sum psi(l_i) (x_i - m_{i-1})**2) / sum l_i

It adapts to the variance, needs no normal approximation, and keeps four sums of one stream; the bets it is
made of depend on the order of the values, so that it does not merge over streams. ``betting`` is tighter for
few values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.statistics.arguments import share, shares
from policies.statistics.result import Estimate, NotEstimable


def empirical_bernstein(
    values: Sequence[float] | NDArray[np.float64], alpha: float = 0.05, *, truncation: float = 0.5
) -> Estimate | NotEstimable:
    """The empirical-Bernstein confidence sequence after the last of ``values`` (in [0, 1], in their order).

    Args: values (n,); truncation, the largest bet. The estimate is the mean weighted by the bets. Returns
    ``NotEstimable`` for no values; raises ValueError for arguments or values out of their range.

    >>> result = empirical_bernstein([0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0] * 20)
    >>> round(result.low, 3), round(result.high, 3)
    (0.132, 0.372)
    """
    method = "empirical-Bernstein confidence sequence"
    share("alpha", alpha)
    share("truncation", truncation)
    x = shares("values", values)
    if x.size == 0:
        return NotEstimable(method, "no values")
    i = np.arange(1, x.size + 1)
    mean = (0.5 + np.cumsum(x)) / (i + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (i + 1)
    mean_before = np.concatenate(([0.5], mean[:-1]))
    variance_before = np.concatenate(([0.25], variance[:-1]))
    bets = np.minimum(truncation, np.sqrt(2.0 * log(2.0 / alpha) / (variance_before * i * np.log1p(i))))
    total = float(bets.sum())
    cost = float(((-np.log1p(-bets) - bets) * (x - mean_before) ** 2).sum())
    centre, width = float((bets * x).sum()) / total, (log(2.0 / alpha) + cost) / total
    return Estimate(
        method=method,
        estimate=centre,
        low=max(0.0, centre - width),
        high=min(1.0, centre + width),
        level=1.0 - alpha,
        assumptions=("values in [0, 1] of constant conditional mean, in the order they came",),
        details=(("n", float(x.size)),),
    )


METHODS: Final[dict[str, Callable[..., object]]] = {"empirical_bernstein": empirical_bernstein}
