"""Which shares of the traffic would tell the best arm from its rivals soonest? (for any means, ties included)

The optimum of Garivier & Kaufmann (2016), as ``best_arm.optimal_proportions`` has it to full precision for
means that are well apart. A plan needs four digits, for whatever means the evidence gives: so here both
conditions are tabulated over all ratios of traffic at once, and read where they are met. Divergences are
taken from the differences of means, so that near ties do not cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.bandit.beliefs import Family

Floats = NDArray[np.float64]

_LOG_RATIO: Final = np.linspace(-60.0, 25.0, 4001)
_RATIO: Final = np.exp(_LOG_RATIO)
_ROUNDING: Final = 1e-9


def tracking_shares(means: Sequence[float], family: Family) -> list[float]:
    """The shares by arm, sum 1; more is better. Arms that are tied for the best share evenly, alone.

    Args: means, inside (0, 1) where ``family`` is bernoulli, in units of the common deviation where gaussian.

    >>> [round(share, 3) for share in tracking_shares([0.5, 0.45, 0.43, 0.4], "bernoulli")]
    [0.417, 0.39, 0.136, 0.057]
    >>> tracking_shares([0.5, 0.5, 0.4], "bernoulli")
    [0.5, 0.5, 0.0]
    """
    values = np.asarray(means, np.float64)
    best = float(values.max())
    tied = values >= best - _ROUNDING * np.abs(values).max()
    if tied.sum() > 1 or len(values) == 1:
        return [float(each) for each in tied / tied.sum()]
    rivals = values[~tied]
    gaps = (best - rivals)[:, None]
    if family == "gaussian":
        gaps = gaps / gaps.min()  # the shares do not depend on the unit
    # With x times the best's traffic on a rival, the mean of both lies x / (1 + x) of the gap below the best.
    below, above = gaps * (_RATIO / (1.0 + _RATIO)), gaps / (1.0 + _RATIO)
    own = _divergence(np.full_like(gaps, best), -below, family)
    other = _divergence(rivals[:, None], above, family)
    apart = own + _RATIO * other
    order = np.argsort(rivals)[::-1]
    nearest = order[0]
    with np.errstate(divide="ignore"):
        log_apart, log_balance = np.log(apart), np.log(own) - np.log(other)
    level = log_apart[nearest]
    ratios = np.array([np.interp(level, log_apart[a], _LOG_RATIO) for a in range(len(rivals))])
    balance = np.exp(np.array([np.interp(ratios[a], _LOG_RATIO, log_balance[a]) for a in range(len(rivals))]))
    at = np.interp(0.0, np.log(balance.sum(axis=0)), _LOG_RATIO)
    found = np.exp([np.interp(at, _LOG_RATIO, ratios[a]) for a in range(len(rivals))])
    shares = np.ones(len(values))
    shares[~tied] = found
    return [float(each) for each in shares / shares.sum()]


def _divergence(mean: Floats, step: Floats, family: Family) -> Floats:
    """KL(mean, mean + step), of a Gaussian of variance 1 or a Bernoulli."""
    if family == "gaussian":
        return np.asarray(step * step / 2.0)
    return np.asarray(mean * _excess(step / mean) + (1.0 - mean) * _excess(-step / (1.0 - mean)))


def _excess(u: Floats) -> Floats:
    """u - ln(1 + u), without cancellation near 0."""
    small = np.abs(u) < 1e-2
    near = np.where(small, u, 0.0)
    series = (
        near * near * (1 / 2 - near * (1 / 3 - near * (1 / 4 - near * (1 / 5 - near * (1 / 6 - near / 7)))))
    )
    far = np.where(small, 0.0, u)
    return np.asarray(np.where(small, series, far - np.log1p(np.maximum(far, -1.0 + 1e-15))))
