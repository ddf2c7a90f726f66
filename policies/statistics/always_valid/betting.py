"""Between which bounds is the mean of values in [0, 1], at any time and without any approximation?

The hedged-capital betting confidence sequence (Waudby-Smith & Ramdas 2024, "Estimating means of bounded
random variables by betting", JRSS B). Against each candidate mean m a gambler bets that the values lie above
it and another that they lie below; m stays in the interval while neither has multiplied half of the money by
more than 1/alpha:

    K+ = prod(1 + min(l_i, c/m) (x_i - m)),   K- = prod(1 - min(l_i, c/(1-m)) (x_i - m))
    keep m while max(theta K+, (1 - theta) K-) < 1/alpha
    l_i = sqrt(2 ln(2/alpha) / (s2_{i-1} i ln(1 + i)))   (predictable plug-in; s2 shrunk towards 1/4)

The bets depend on the order of the values, so that this needs each observation, not sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.statistics.arguments import positive, share, shares
from policies.statistics.result import Estimate, NotEstimable


def betting(
    values: Sequence[float] | NDArray[np.float64],
    alpha: float = 0.05,
    *,
    breaks: int = 1000,
    theta: float = 0.5,
    truncation: float = 0.5,
) -> Estimate | NotEstimable:
    """The betting confidence sequence after the last of ``values`` (in [0, 1], in their order of arrival).

    Args: breaks, the cells of the grid of candidate means (the interval is outward to the grid); theta, the
    share of the money bet upwards; truncation, the most of the money at stake in one bet. Cost and memory are
    ``len(values) + breaks``. Returns ``NotEstimable`` for no values; raises ValueError for arguments or
    values out of their range.

    >>> result = betting([0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0] * 20)
    >>> round(result.estimate, 3), round(result.low, 3), round(result.high, 3)
    (0.25, 0.151, 0.368)
    """
    method = "betting confidence sequence"
    share("alpha", alpha)
    share("theta", theta)
    share("truncation", truncation)
    positive("breaks", breaks)
    x = shares("values", values)
    if x.size == 0:
        return NotEstimable(method, "no values")
    grid = np.arange(breaks + 1) / breaks
    kept = np.flatnonzero(_log_capital(x, grid, _bets(x, alpha), theta, truncation) < -log(alpha))
    if kept.size == 0:
        return NotEstimable(method, "no mean on the grid is plausible: refine it")
    return Estimate(
        method=method,
        estimate=float(x.mean()),
        low=float(grid[max(0, kept[0] - 1)]),
        high=float(grid[min(breaks, kept[-1] + 1)]),
        level=1.0 - alpha,
        assumptions=("values in [0, 1] of constant conditional mean, in the order they came",),
        details=(("n", float(x.size)), ("breaks", float(breaks))),
    )


def _bets(x: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Each value's bet, from those before it."""
    i = np.arange(1, x.size + 1)
    mean = (0.5 + np.cumsum(x)) / (i + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (i + 1)
    before = np.concatenate(([0.25], variance[:-1]))
    return np.asarray(np.sqrt(2.0 * log(2.0 / alpha) / (i * np.log1p(i) * before)))


def _log_capital(
    x: NDArray[np.float64],
    grid: NDArray[np.float64],
    bets: NDArray[np.float64],
    theta: float,
    truncation: float,
) -> NDArray[np.float64]:
    """The logarithm of the richer gambler's money against each candidate mean, (breaks + 1,)."""
    with np.errstate(divide="ignore"):
        most_up, most_down = truncation / grid, truncation / (1.0 - grid)
    up, down = np.full(grid.size, log(theta)), np.full(grid.size, log(1.0 - theta))
    for value, bet in zip(x, bets, strict=True):
        up += np.log1p(np.minimum(bet, most_up) * (value - grid))
        down += np.log1p(-np.minimum(bet, most_down) * (value - grid))
    return np.asarray(np.maximum(up, down))


METHODS: Final[dict[str, Callable[..., object]]] = {"betting": betting}
