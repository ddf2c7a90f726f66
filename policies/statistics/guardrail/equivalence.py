"""Are treatment and control the same, to within a margin on both sides?

Two one-sided tests: equivalent when d is shown to be above -margin and below +margin. For a shadow or a
migration, where no difference is what is hoped for and a large p-value would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policies.statistics.guardrail.noninferiority import noninferiority, noninferiority_always_valid
from policies.statistics.means import Mean
from policies.statistics.result import Estimate, NotEstimable


def equivalence(
    a: Mean, b: Mean, margin: float, *, alpha: float = 0.05, use_t: bool = False
) -> Estimate | NotEstimable:
    """Two one-sided tests at one look, and the 1 - 2 alpha interval that decides the same.

    The p-value is the larger of the two; equivalent when the interval lies within (-margin, margin). Args:
    the ``Mean``s; margin > 0 in the metric's unit; alpha of each side; use_t as for ``noninferiority``.
    Returns b - a in the metric's unit; ``NotEstimable`` for an empty variant, one unit or zero variance.
    Raises ValueError for arguments out of their range. Source: Schuirmann (1987).

    >>> result = equivalence(Mean.of_rate(900, 1000), Mean.of_rate(895, 1000), 0.05)
    >>> round(result.p_value, 6), round(result.low, 6), round(result.high, 6)
    (0.000454, -0.02731, 0.01731)
    """
    above = noninferiority(a, b, margin, sign=1, alpha=alpha, use_t=use_t)
    below = noninferiority(a, b, margin, sign=-1, alpha=alpha, use_t=use_t)
    return _both("equivalence (two one-sided tests)", above, below, margin, alpha)


def equivalence_always_valid(
    a: Mean, b: Mean, margin: float, *, n: float, n_star: float, alpha: float = 0.05
) -> Estimate | NotEstimable:
    """As ``equivalence``, by two one-sided confidence sequences: it may be watched at every moment.

    Args: as there, with n and n_star as for ``noninferiority_always_valid``, whose errors it shares.
    Source: Waudby-Smith et al. (2024); Schuirmann (1987).

    >>> a, b = Mean.of_rate(9000, 10_000), Mean.of_rate(8950, 10_000)
    >>> equivalence_always_valid(a, b, 0.05, n=20_000, n_star=20_000).p_value < 0.001
    True
    """
    above = noninferiority_always_valid(a, b, margin, n=n, n_star=n_star, sign=1, alpha=alpha)
    below = noninferiority_always_valid(a, b, margin, n=n, n_star=n_star, sign=-1, alpha=alpha)
    return _both("equivalence, always valid", above, below, margin, alpha)


def _both(
    method: str, above: Estimate | NotEstimable, below: Estimate | NotEstimable, margin: float, alpha: float
) -> Estimate | NotEstimable:
    if isinstance(above, NotEstimable) or isinstance(below, NotEstimable):
        return above if isinstance(above, NotEstimable) else below
    assert above.p_value is not None
    assert below.p_value is not None
    return Estimate(
        method=method,
        estimate=above.estimate,
        standard_error=above.standard_error,
        low=above.low,
        high=-below.low,
        level=1.0 - 2.0 * alpha,
        p_value=max(above.p_value, below.p_value),
        assumptions=above.assumptions,
        details=(("margin", margin), ("p_above", above.p_value), ("p_below", below.p_value)),
    )


METHODS: Final[dict[str, Callable[..., object]]] = {
    "equivalence": equivalence,
    "equivalence_always_valid": equivalence_always_valid,
}
