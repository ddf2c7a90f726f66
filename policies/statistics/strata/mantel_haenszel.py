"""Which odds ratio of two rates is common to all epochs, and is it 1?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, log
from typing import Final

import numpy as np
from scipy.special import chdtrc

from policies.statistics.kernel import wald
from policies.statistics.result import Estimate, NotEstimable, Test

Counts = tuple[float, float, float, float]


def mantel_haenszel(strata: Sequence[Counts], alpha: float = 0.05) -> Estimate | NotEstimable:
    """The Mantel-Haenszel odds ratio of treatment over control, its log interval by Robins et al.

    With a, b the treatment's successes and failures, c, d the control's, N their sum:
    ``OR = sum (a d / N) / sum (b c / N)``. Args: (x_c, n_c, x_t, n_t) of each epoch; alpha. Consistent also
    for many epochs with few events each. Epochs without both variants, or without a success or a failure in
    either, carry no weight: the detail ``strata_left_out`` counts them. Returns the odds ratio (1 is no
    effect) with the p-value of its logarithm. ``NotEstimable`` when either sum is zero. Raises
    ValueError unless 0 <= x <= n. Source: Mantel & Haenszel (1959); Robins, Breslow & Greenland (1986).

    >>> ramp = [(20_000, 990_000, 230, 10_000), (5000, 500_000, 6000, 500_000)]
    >>> round(mantel_haenszel(ramp).estimate, 9)
    1.197981541
    """
    method = "Mantel-Haenszel odds ratio"
    a, b, c, d = _cells(strata)
    n = a + b + c + d
    both = (a + b > 0) & (c + d > 0)
    n = np.where(both, n, 1.0)
    up, down = np.where(both, a * d / n, 0.0), np.where(both, b * c / n, 0.0)
    r, s = float(up.sum()), float(down.sum())
    if r == 0.0 or s == 0.0:
        return NotEstimable(method, "no epoch has successes and failures in both variants")
    p, q = (a + d) / n, (b + c) / n
    variance = float((p * up).sum()) / (2.0 * r * r) + float((q * down).sum()) / (2.0 * s * s)
    variance += float((p * down + q * up).sum()) / (2.0 * r * s)
    logged = wald(method, log(r / s), variance, alpha)
    if isinstance(logged, NotEstimable):
        return logged
    assert logged.standard_error is not None
    return Estimate(
        method=method,
        estimate=r / s,
        low=exp(logged.low),
        high=exp(logged.high),
        level=logged.level,
        p_value=logged.p_value,
        assumptions=("the odds ratio is the same in every epoch", "units are independent"),
        details=(("log_standard_error", logged.standard_error), ("strata_left_out", _none(up + down))),
    )


def cochran_mantel_haenszel(strata: Sequence[Counts]) -> Test | NotEstimable:
    """The CMH chi-square (1 degree of freedom, no continuity correction): is the common odds ratio 1?

    ``(sum (a - E a))**2 / sum var a`` with the hypergeometric mean and variance in each epoch. Arguments,
    errors and epochs left out as for ``mantel_haenszel``; ``NotEstimable`` when no epoch has both variants,
    successes and failures. Source: Cochran (1954); Mantel & Haenszel (1959).

    >>> ramp = [(20_000, 990_000, 230, 10_000), (5000, 500_000, 6000, 500_000)]
    >>> round(cochran_mantel_haenszel(ramp).statistic, 6)
    95.497037
    """
    a, b, c, d = _cells(strata)
    n = a + b + c + d
    kept = n > 1
    a, b, c, d, n = a[kept], b[kept], c[kept], d[kept], n[kept]
    treated, won = (a + b) / n, (a + c) / n
    variances = treated * (1.0 - treated) * won * (1.0 - won) * n * n / (n - 1.0)
    variance = float(variances.sum())
    if variance == 0.0:
        return NotEstimable("CMH", "no epoch has both variants, successes and failures")
    statistic = float((a - treated * won * n).sum()) ** 2 / variance
    details = (("df", 1.0), ("strata_left_out", _none(variances) + float((~kept).sum())))
    return Test("CMH", statistic, float(chdtrc(1, statistic)), None, ("units are independent",), details)


def _none(each: np.ndarray) -> float:
    """How many epochs add nothing."""
    return float(np.count_nonzero(each == 0.0))


def _cells(strata: Sequence[Counts]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Treatment's successes and failures, control's successes and failures, each (E,)."""
    table = np.asarray(strata, dtype=np.float64).reshape(-1, 4)
    x_c, n_c, x_t, n_t = table.T
    if not (np.isfinite(table).all() and (table >= 0).all() and (x_c <= n_c).all() and (x_t <= n_t).all()):
        raise ValueError("each epoch must be (x_c, n_c, x_t, n_t) with 0 <= x <= n")
    return x_t, n_t - x_t, x_c, n_c - x_c


METHODS: Final[dict[str, Callable[..., object]]] = {
    "mantel_haenszel": mantel_haenszel,
    "cochran_mantel_haenszel": cochran_mantel_haenszel,
}
