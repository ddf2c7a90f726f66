"""At which level must each interval be drawn, so that it agrees with its adjusted p-value?

A p-value that was adjusted beside an interval that was not tells two stories. Each interval is drawn here at
its own alpha, such that it leaves out zero exactly when the adjusted p-value is at most alpha.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from policies.statistics.arguments import one_of, share
from policies.statistics.multiplicity.adjusted import adjust

LEVELLED: Final = ("holm", "bonferroni", "benjamini_hochberg", "none")


def interval_alphas(
    p_values: Sequence[float], alpha: float = 0.05, method: str = "holm"
) -> tuple[float, ...]:
    """The alpha (m,) at which to draw each of m intervals, given their unadjusted p-values (m,).

    With R rejected of m: Bonferroni alpha/m for all. Holm alpha/(m - i + 1) for the i-th smallest p if it is
    rejected, alpha/(m - R) for the rest. Benjamini-Hochberg alpha R/m for the rejected (the false coverage
    rate is then at most alpha), alpha (R+1)/m for the rest. Bonferroni's intervals hold jointly; Holm's are
    narrower and agree with its tests, without a joint guarantee. Raises ValueError for another method, alpha
    outside (0, 1) or p-values outside [0, 1]. Source: Benjamini & Yekutieli (2005) on intervals after
    selection; Holm (1979).

    >>> [round(a, 6) for a in interval_alphas([0.04, 0.001, 0.3], 0.05)]
    [0.025, 0.016667, 0.025]
    """
    share("alpha", alpha)
    one_of("method", method, LEVELLED)
    adjusted = adjust(p_values, method)
    m = len(adjusted)
    rejected = sum(p <= alpha for p in adjusted)
    if method == "none":
        return (alpha,) * m
    if method == "bonferroni":
        return (alpha / max(m, 1),) * m
    order = sorted(range(m), key=lambda i: p_values[i])
    rank = {index: position for position, index in enumerate(order)}
    if method == "holm":
        return tuple(alpha / (m - min(rank[i], rejected)) for i in range(m))
    return tuple(alpha * (min(rejected + (rank[i] >= rejected), m) / m) for i in range(m))


METHODS: Final[dict[str, Callable[..., object]]] = {"interval_alphas": interval_alphas}
