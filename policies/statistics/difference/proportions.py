"""How far apart are two rates, by intervals in closed form: Newcombe, Wald, Agresti and Caffo?

Treatment b minus control a, in shares (0.01 is one percentage point), as Newcombe (1998) compares them. Every
p-value here is that of the interval it stands beside, so that the two always agree about zero.
"""

from __future__ import annotations

from collections.abc import Callable
from math import hypot, sqrt
from typing import Final

from scipy.optimize import brentq

from policies.statistics.arguments import share
from policies.statistics.difference.single import wilson_bounds
from policies.statistics.kernel import critical, two_sided, wald
from policies.statistics.means import Mean
from policies.statistics.result import Estimate, NotEstimable

INDEPENDENT: Final = ("trials are independent",)


def newcombe(x_a: float, n_a: float, x_b: float, n_b: float, alpha: float = 0.05) -> Estimate | NotEstimable:
    """Newcombe's hybrid score interval for p_b - p_a: a good default at any size.

    With Wilson's (l, u) of each variant: ``d - hypot(p_b - l_b, u_a - p_a)`` to ``d + hypot(u_b - p_b,
    p_a - l_a)``. The p-value inverts the interval: the alpha at which it just touches zero; None when the
    rates are equal and 0 or 1, which no level can tell apart. ``NotEstimable`` for an empty variant. Raises
    ValueError unless 0 <= x <= n and alpha is in (0, 1). Source: Newcombe (1998), method 10.

    >>> result = newcombe(48, 80, 56, 70)
    >>> round(result.low, 4), round(result.high, 4)
    (0.0524, 0.3339)
    """
    share("alpha", alpha)
    a, b = Mean.of_rate(x_a, n_a), Mean.of_rate(x_b, n_b)
    method = "Newcombe"
    empty = empty_variant(method, a, b)
    if empty is not None:
        return empty
    z = critical(alpha)
    low_a, high_a = wilson_bounds(x_a, n_a, z)
    low_b, high_b = wilson_bounds(x_b, n_b, z)
    d = b.value - a.value
    return Estimate(
        method=method,
        estimate=d,
        low=d - hypot(b.value - low_b, high_a - a.value),
        high=d + hypot(high_b - b.value, a.value - low_a),
        level=1.0 - alpha,
        p_value=_newcombe_p(x_a, n_a, x_b, n_b),
        assumptions=INDEPENDENT,
    )


def _newcombe_p(x_a: float, n_a: float, x_b: float, n_b: float) -> float | None:
    """The alpha at which Newcombe's interval touches zero; the higher rate's lower arm is what reaches it."""
    if x_a / n_a > x_b / n_b:
        return _newcombe_p(x_b, n_b, x_a, n_a)
    p_a, p_b = x_a / n_a, x_b / n_b
    if p_a == p_b:
        return None if p_a in (0.0, 1.0) else 1.0

    def gap(z: float) -> float:
        return (p_b - p_a) - hypot(p_b - wilson_bounds(x_b, n_b, z)[0], wilson_bounds(x_a, n_a, z)[1] - p_a)

    return two_sided(float(brentq(gap, 0.0, 1e4 * sqrt(n_a + n_b), xtol=1e-13, rtol=1e-14)))


def wald_proportions(
    x_a: float, n_a: float, x_b: float, n_b: float, alpha: float = 0.05
) -> Estimate | NotEstimable:
    """The Wald interval for p_b - p_a, with the unpooled variance: for large samples only.

    ``d +- z sqrt(p_a q_a / n_a + p_b q_b / n_b)``. ``NotEstimable`` for an empty variant or when both rates
    are 0 or 1. Raises ValueError unless 0 <= x <= n and alpha is in (0, 1). Source: Wald (1943).

    >>> result = wald_proportions(48, 80, 56, 70)
    >>> round(result.low, 4), round(result.high, 4)
    (0.0575, 0.3425)
    """
    a, b = Mean.of_rate(x_a, n_a), Mean.of_rate(x_b, n_b)
    empty = empty_variant("Wald", a, b)
    if empty is not None:
        return empty
    return wald(
        "Wald",
        b.value - a.value,
        a.variance + b.variance,
        alpha,
        assumptions=(*INDEPENDENT, "both samples are large"),
    )


def agresti_caffo(
    x_a: float, n_a: float, x_b: float, n_b: float, alpha: float = 0.05
) -> Estimate | NotEstimable:
    """Agresti and Caffo's interval for p_b - p_a: Wald's after one success and one failure more in each.

    The estimate stays p_b - p_a; interval and p-value are those of the shifted rates. Returns and errors as
    for ``wald_proportions``, but rates of 0 and 1 are fine. Source: Agresti & Caffo (2000).

    >>> result = agresti_caffo(48, 80, 56, 70)
    >>> round(result.low, 4), round(result.high, 4)
    (0.0525, 0.3358)
    """
    a, b = Mean.of_rate(x_a, n_a), Mean.of_rate(x_b, n_b)
    empty = empty_variant("Agresti-Caffo", a, b)
    if empty is not None:
        return empty
    shifted = wald_proportions(x_a + 1, n_a + 2, x_b + 1, n_b + 2, alpha)
    assert isinstance(shifted, Estimate)  # neither variant is empty, and no shifted rate is 0 or 1
    return Estimate(
        method="Agresti-Caffo",
        estimate=b.value - a.value,
        standard_error=shifted.standard_error,
        low=shifted.low,
        high=shifted.high,
        level=shifted.level,
        p_value=shifted.p_value,
        assumptions=INDEPENDENT,
    )


def empty_variant(method: str, a: Mean, b: Mean) -> NotEstimable | None:
    """Why the rates cannot be compared at all, or None.

    >>> empty_variant("Wald", Mean.of_rate(0, 0), Mean.of_rate(1, 2)).reason
    'the control is empty'
    """
    for name, sample in (("control", a), ("treatment", b)):
        if sample.n == 0:
            return NotEstimable(method, f"the {name} is empty")
    return None


METHODS: Final[dict[str, Callable[..., object]]] = {
    "newcombe": newcombe,
    "wald_proportions": wald_proportions,
    "agresti_caffo": agresti_caffo,
}
