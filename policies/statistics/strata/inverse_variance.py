"""What is the effect over several epochs by their precision, and do the epochs agree?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from policies.statistics.kernel import wald
from policies.statistics.result import Estimate, NotEstimable

Floats = NDArray[np.float64]


def inverse_variance(
    differences: Sequence[float], variances: Sequence[float], alpha: float = 0.05
) -> Estimate | NotEstimable:
    """The fixed-effect combination of differences, each weighted by 1 / variance, with Cochran's Q.

    ``d = sum d_e / V_e / sum 1 / V_e``, ``var = 1 / sum 1 / V_e``, ``Q = sum (d_e - d)**2 / V_e`` on (number
    - 1) degrees of freedom: a small ``q_p`` says that the effect changes between epochs or segments. Args:
    differences in the metric's unit and their variances, both (E,); alpha. Left out are those with a NaN (a
    variant was empty or had one unit) and those of variance zero, which have no finite weight. Details ``q``,
    ``q_p``, ``weights``, ``strata_left_out``. Trust it only where no variance rests on a few events, which
    are also those that get none by chance. ``NotEstimable`` when nothing is left.
    Raises ValueError for lengths that differ or a negative variance. Source: Cochran (1954).

    >>> result = inverse_variance([1.0, 2.0], [1.0, 4.0])
    >>> round(result.estimate, 9), round(result.detail("q"), 9)
    (1.2, 0.2)
    """
    method = "inverse variance"
    if len(differences) != len(variances):
        raise ValueError(f"{len(differences)} differences but {len(variances)} variances")
    if any(each < 0.0 for each in variances):
        raise ValueError("variances must be >= 0")
    d, v = np.array(differences, np.float64), np.array(variances, np.float64)
    known = np.isfinite(d) & np.isfinite(v)
    varied = known & (v > 0.0)
    if not varied.any():
        reason = "zero variance in every epoch" if known.any() else "no epoch has an estimate with a variance"
        return NotEstimable(method, reason)
    d, v = d[varied], v[varied]
    weights = 1.0 / v
    estimate, variance, q, q_p = (float(each) for each in combined(d, weights))
    return wald(
        method,
        estimate,
        variance,
        alpha,
        assumptions=("the effect is the same in every epoch", "epochs are independent"),
        details=(
            ("q", q),
            ("q_p", q_p),
            ("weights", tuple((weights * variance).tolist())),
            ("strata_left_out", float(len(differences) - d.size)),
        ),
    )


def combined(d: Floats, weights: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """The mean, its variance, Cochran's Q and its p-value, over the last axis of d and 1 / variance (..., E).

    What has the weight 0 is left out, and there must be one that has not; the p-value of a single one is NaN.
    Raises nothing. Source: Cochran (1954).

    >>> mean, variance, q, p = combined(np.array([1.0, 2.0]), np.array([1.0, 0.25]))
    >>> round(float(mean), 9), round(float(variance), 9), round(float(q), 9), round(float(p), 6)
    (1.2, 0.8, 0.2, 0.654721)
    """
    variance = 1.0 / weights.sum(axis=-1)
    mean = (weights * d).sum(axis=-1) * variance
    q = (weights * (d - mean[..., None]) ** 2).sum(axis=-1)
    df = np.count_nonzero(weights, axis=-1) - 1.0
    return mean, variance, q, np.where(df > 0.0, chdtrc(np.maximum(df, 1.0), q), np.nan)


METHODS: Final[dict[str, Callable[..., object]]] = {"inverse_variance": inverse_variance}
