"""What is the treatment's effect in a regression on the covariate, however the noise varies?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from policies.statistics.kernel import wald
from policies.statistics.result import Estimate, NotEstimable


def ancova(
    y_a: ArrayLike, x_a: ArrayLike, y_b: ArrayLike, x_b: ArrayLike, alpha: float = 0.05
) -> Estimate | NotEstimable:
    """The treatment's coefficient in ``y ~ 1 + treated + x`` with a heteroscedasticity-robust (HC1) error.

    The regression counterpart of ``cuped``, theta from within the variants. Needs rows (units or buckets):
    outcomes y and pre-assignment covariates x, (n_a,) and (n_b,), or (n, k) for k covariates. HC1 multiplies
    the sandwich by n / (n - k - 2); the interval is normal. Returns the effect in y's unit; ``NotEstimable``
    for an empty variant, a collinear covariate, too few rows or a perfect fit. Raises ValueError for shapes
    that do not fit or alpha outside (0, 1). Source: MacKinnon & White (1985) for HC1; Lin (2013).

    >>> x = np.arange(6.0)
    >>> round(ancova(x + [0.1, 0, -0.1, 0.1, 0, -0.1], x, x + [1.1, 1, 0.9, 0.9, 1, 1.1], x).estimate, 6)
    1.0
    """
    ya, yb = np.asarray(y_a, np.float64), np.asarray(y_b, np.float64)
    xa, xb = (np.asarray(x, np.float64) for x in (x_a, x_b))
    xa, xb = (x[:, None] if x.ndim == 1 else x for x in (xa, xb))
    if xa.shape[0] != ya.size or xb.shape[0] != yb.size or xa.shape[1:] != xb.shape[1:]:
        raise ValueError(f"y and x do not fit: {ya.shape} with {xa.shape}, {yb.shape} with {xb.shape}")
    if ya.size == 0 or yb.size == 0:
        return NotEstimable("ANCOVA", f"the {'control' if ya.size == 0 else 'treatment'} is empty")
    y, x = np.concatenate([ya, yb]), np.concatenate([xa, xb])
    treated = np.repeat([0.0, 1.0], [ya.size, yb.size])
    # Centring changes neither the coefficient nor its error, and keeps a large offset from cancelling.
    design = np.column_stack([np.ones_like(y), treated, x - x.mean(axis=0)])
    rows, columns = design.shape
    if rows <= columns:
        return NotEstimable("ANCOVA", f"{rows} rows for {columns} coefficients")
    if np.linalg.matrix_rank(design) < columns:
        return NotEstimable("ANCOVA", "a covariate does not vary or repeats another")
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ (design.T @ (y - y.mean()))
    residual = y - y.mean() - design @ coefficients
    if float(np.abs(residual).max()) <= 1e-12 * float(np.abs(y - y.mean()).max()):
        return NotEstimable("ANCOVA", "zero variance: the covariate explains everything")
    pull = (design @ inverse[:, 1]) * residual
    variance = float(pull @ pull) * rows / (rows - columns)
    theta = tuple(coefficients[2:].tolist())
    return wald(
        "ANCOVA (HC1)", float(coefficients[1]), variance, alpha,
        assumptions=("the covariate was measured before assignment", "rows are independent", "large sample"),
        details=(("theta", theta),),
    )  # fmt: skip


METHODS: Final[dict[str, Callable[..., object]]] = {"ancova": ancova}
