"""Do two or more rates differ at all: chi-square, with Yates' correction, and G on a table of counts?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, xlogy

from policies.statistics.result import NotEstimable, Test

_ASSUMPTIONS: Final = ("units are independent", "expected counts of 5 or more")


def chi_square(table: ArrayLike, *, yates: bool = False) -> Test | NotEstimable:
    """Pearson's chi-square test of independence on a table of counts (r, c).

    ``sum (observed - expected)**2 / expected`` on (r-1)(c-1) degrees of freedom; ``yates`` takes 1/2 off each
    difference of a 2 x 2 table. For 2 x 2 its uncorrected statistic is the pooled z squared. ``NotEstimable``
    when a row or column is empty. Raises ValueError for negative counts or a table smaller than 2 x 2.
    Source: Pearson (1900); Yates (1934).

    >>> round(chi_square([[10, 90], [20, 80]]).p_value, 6)
    0.04767
    """
    observed = _counts(table)
    expected = _expected(observed)
    if expected is None:
        return NotEstimable("chi-square", "a row or a column of the table is empty")
    gap = np.abs(observed - expected)
    if yates and observed.shape == (2, 2):
        gap = np.maximum(gap - 0.5, 0.0)
    name = "chi-square, Yates" if yates else "chi-square"
    return _test(name, float((gap**2 / expected).sum()), observed)


def g_test(table: ArrayLike) -> Test | NotEstimable:
    """The likelihood-ratio (G) test of independence on a table of counts (r, c).

    ``2 sum observed ln(observed / expected)``, cells of zero adding zero. Errors as for ``chi_square``.
    Source: Wilks (1938).

    >>> round(g_test([[10, 90], [20, 80]]).statistic, 6)
    3.986556
    """
    observed = _counts(table)
    expected = _expected(observed)
    if expected is None:
        return NotEstimable("G", "a row or a column of the table is empty")
    return _test("G", float(2.0 * xlogy(observed, observed / expected).sum()), observed)


def _counts(table: ArrayLike) -> NDArray[np.float64]:
    observed = np.asarray(table, dtype=np.float64)
    if observed.ndim != 2 or min(observed.shape) < 2:
        raise ValueError(f"table must be at least 2 x 2, got the shape {observed.shape}")
    if not (np.isfinite(observed).all() and (observed >= 0).all()):
        raise ValueError("table must hold finite counts >= 0")
    return observed


def _expected(observed: NDArray[np.float64]) -> NDArray[np.float64] | None:
    rows, columns = observed.sum(axis=1), observed.sum(axis=0)
    if (rows == 0).any() or (columns == 0).any():
        return None
    expected: NDArray[np.float64] = np.outer(rows, columns) / rows.sum()
    return expected


def _test(method: str, statistic: float, observed: NDArray[np.float64]) -> Test:
    df = float((observed.shape[0] - 1) * (observed.shape[1] - 1))
    return Test(method, statistic, float(chdtrc(df, statistic)), None, _ASSUMPTIONS, (("df", df),))


METHODS: Final[dict[str, Callable[..., object]]] = {"chi_square": chi_square, "g_test": g_test}
