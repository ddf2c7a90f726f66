"""Which of many e-values still count when all are judged together, whatever their dependence?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, isnan, log
from typing import Final

from policies.statistics.arguments import share


def e_bh(log_e_values: Sequence[float], alpha: float = 0.05) -> tuple[bool, ...]:
    """Which hypotheses to reject so that the false discovery rate is at most alpha, at any look.

    Rejects the k largest with ``k = max{i: i e_(i) / m >= 1 / alpha}``, under any dependence. Args: natural
    logarithms of the e-values (m,), so that none overflows; alpha. Returns (m,). Raises ValueError for NaN
    or alpha outside (0, 1). Source: Wang & Ramdas (2022), "False discovery rate control with e-values".

    >>> e_bh([5.0, 3.5, 0.2])
    (True, True, False)
    """
    threshold = log(len(log_e_values) or 1) - log(share("alpha", alpha))
    if any(isnan(value) for value in log_e_values):
        raise ValueError("log_e_values must not be NaN")
    ranked = sorted(log_e_values, reverse=True)
    passed = [i for i, value in enumerate(ranked, start=1) if value + log(i) >= threshold]
    count = max(passed, default=0)
    return tuple(count > 0 and value >= ranked[count - 1] for value in log_e_values)


def e_adjusted(log_e_values: Sequence[float]) -> tuple[float, ...]:
    """The smallest alpha (m,) at which e-BH rejects each hypothesis: ``min over j >= i of m / (j e_(j))``.

    Args: natural logarithms of e-values (m,). Raises ValueError for NaN. Source: Wang & Ramdas (2022).

    >>> [round(p, 6) for p in e_adjusted([5.0, 3.5, 0.2])]
    [0.020214, 0.045296, 0.818731]
    """
    if any(isnan(value) for value in log_e_values):
        raise ValueError("log_e_values must not be NaN")
    m = len(log_e_values)
    order = sorted(range(m), key=lambda i: -log_e_values[i])
    adjusted, lowest = [1.0] * m, 1.0
    for position in range(m, 0, -1):
        index = order[position - 1]
        lowest = min(lowest, exp(min(0.0, log(m / position) - log_e_values[index])))
        adjusted[index] = lowest
    return tuple(adjusted)


METHODS: Final[dict[str, Callable[..., object]]] = {"e_bh": e_bh, "e_adjusted": e_adjusted}
