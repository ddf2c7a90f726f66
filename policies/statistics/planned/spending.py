"""How much of the error rate may have been spent at a given share of the planned information?

Error-spending functions of Lan & DeMets (1983, "Discrete sequential boundaries for clinical trials",
Biometrika): increasing in the information fraction t, 0 at 0 and alpha at 1. ``alpha`` is that of one side;
two-sided tests spend half of theirs on each.

    obrien_fleming   2 - 2 Phi(z_{1 - alpha/2} / sqrt t)
    pocock           alpha ln(1 + (e - 1) t)
    power            alpha t**phi        (Kim & DeMets 1987)
"""

from __future__ import annotations

from collections.abc import Callable
from math import e, inf, log1p, sqrt
from typing import Final, Literal

from scipy.special import ndtr, ndtri

from policies.statistics.arguments import nonnegative, one_of, positive, share

Spending = Literal["obrien_fleming", "pocock", "power"]
KNOWN: Final[tuple[Spending, ...]] = ("obrien_fleming", "pocock", "power")


def spent(fraction: float, alpha: float, spending: Spending = "obrien_fleming", phi: float = 1.0) -> float:
    """The error (one side's) that may have been spent at information fraction ``fraction`` (clipped at 1).

    ``phi`` > 0 shapes the power family (1: evenly; 3: nearly O'Brien-Fleming). Raises ValueError for
    arguments out of their range and for an unknown spending function.

    >>> round(spent(0.2, 0.025), 9), round(spent(0.5, 0.025, "pocock"), 6), spent(0.5, 0.04, "power", 2)
    (5.39e-07, 0.015503, 0.01)
    """
    share("alpha", alpha)
    positive("phi", phi)
    one_of("spending", spending, KNOWN)
    t = min(1.0, nonnegative("fraction", fraction))
    if spending == "power":
        return float(alpha * t**phi)
    if spending == "pocock":
        return alpha * log1p((e - 1.0) * t)
    return 2.0 * float(ndtr(ndtri(alpha / 2.0) / sqrt(t) if t > 0.0 else -inf))


METHODS: Final[dict[str, Callable[..., object]]] = {"error_spending": spent}
