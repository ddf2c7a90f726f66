"""How wide must an interval be so that it may be looked at after every unit?

For any metric that has a standard error: the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha,
Kennedy & Ramdas (2024, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of
Statistics), which is the normal mixture boundary of Howard et al. (2021, eq. 14) and Robbins (1970). With
``x = n rho**2``,

    two-sided   se * sqrt(((x+1)/x) * ln((x+1) / alpha**2))
    one-sided   se * sqrt(2 * ((x+1)/x) * ln(1 + sqrt(x+1) / (2 alpha)))

``n_star`` is the sample size at which the interval is narrowest relative to a fixed one. It must be chosen
before the start: a tuning that follows the data voids the guarantee.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import e, exp, expm1, inf, log, sqrt
from typing import Final, Literal

from scipy.special import lambertw

from policies.statistics.arguments import finite, nonnegative, one_of, positive, share
from policies.statistics.result import Estimate, NotEstimable

Tuning = Literal["expansion", "exact"]
MINIMUM: Final = 50
ASSUMPTIONS: Final = (
    "asymptotic: the estimate is nearly normal from the first look on",
    "n_star was fixed before the start",
    "the quantity is constant while intervals of several looks are intersected",
)


def optimum(alpha: float, tuning: Tuning = "expansion") -> float:
    """``n_star * rho**2`` that makes the two-sided interval narrowest at ``n_star`` (no unit).

    ``exact`` solves it, ``-W_{-1}(-alpha**2 / e) - 1`` with Lambert's W; ``expansion`` is the two-term form
    ``-2 ln alpha + ln(1 - 2 ln alpha)`` in use by GrowthBook and Eppo, 1 % wider at most near ``n_star``.

    Raises ValueError unless alpha is in (0, 1).

    >>> round(optimum(0.05, "exact"), 6), round(optimum(0.05), 6)
    (8.211968, 7.936155)
    """
    share("alpha", alpha)
    one_of("tuning", tuning, ("expansion", "exact"))
    if tuning == "exact":
        return float(-lambertw(-(alpha**2) / e, -1).real) - 1.0
    return -2.0 * log(alpha) + log(1.0 - 2.0 * log(alpha))


@lru_cache(maxsize=1024)
def rho(alpha: float, n_star: float, sides: int = 2, tuning: Tuning = "expansion") -> float:
    """The mixture's tuning parameter (per square root of a unit); one-sided intervals take it at 2 alpha.

    Raises ValueError unless alpha is in (0, 1) (in (0, 0.5) when one-sided), n_star > 0, sides 1 or 2.

    >>> round(rho(0.05, 5000), 8)
    0.03984007
    """
    positive("n_star", n_star)
    return sqrt(optimum(_two_sided(alpha, sides), tuning) / n_star)


def critical_value(
    n: float, alpha: float, n_star: float, sides: int = 2, tuning: Tuning = "expansion"
) -> float:
    """How many standard errors from the estimate the interval ends, at total sample size n (no unit).

    Raises ValueError unless n > 0, and as ``rho``.

    >>> round(critical_value(20_000, 0.05, 20_000), 4)
    3.0352
    """
    positive("n", n)
    x = n * rho(alpha, n_star, sides, tuning) ** 2
    if sides == 2:
        return sqrt((x + 1.0) / x * (log(x + 1.0) - 2.0 * log(alpha)))
    return sqrt(2.0 * (x + 1.0) / x * log(1.0 + sqrt(x + 1.0) / (2.0 * alpha)))


def half_width(
    standard_error: float, n: float, alpha: float, n_star: float, sides: int = 2, tuning: Tuning = "expansion"
) -> float:
    """The distance from the estimate to the interval's end, in the metric's unit.

    ``n`` is the sample size of all variants compared, at which ``standard_error`` was taken; see
    ``confidence_sequence`` for the arguments. Raises ValueError for arguments out of their range.

    >>> round(half_width(0.0043125444, 20_200, 0.05, 5000), 9)
    0.013490639
    """
    return nonnegative("standard_error", standard_error) * critical_value(n, alpha, n_star, sides, tuning)


def p_value(
    z: float, n: float, alpha: float, n_star: float, sides: int = 2, tuning: Tuning = "expansion"
) -> float:
    """The always-valid p-value of ``z = estimate / standard_error``; one-sided: that the estimate is above 0.

    The level at which the interval would just touch zero with rho held at its value for ``alpha``, so that
    it is at most ``alpha`` exactly when the interval leaves zero out. Taken in logarithms: no overflow.
    Raises ValueError for a z that is not finite, and as ``critical_value``.

    >>> round(p_value(0.01 / 0.0043125444, 20_200, 0.05, 5000), 6)
    0.424032
    """
    finite("z", z)
    positive("n", n)
    x = n * rho(alpha, n_star, sides, tuning) ** 2
    exponent = x * z * z / (2.0 * (x + 1.0))
    if sides == 2:
        return exp(min(0.0, 0.5 * log(x + 1.0) - exponent))
    if z <= 0.0 or exponent == 0.0:
        return 1.0
    if exponent > 30.0:  # exp(exponent) - 1 is exp(exponent) to double precision, and would overflow later
        return exp(min(0.0, 0.5 * log(x + 1.0) - log(2.0) - exponent))
    return min(1.0, sqrt(x + 1.0) / (2.0 * expm1(exponent)))


def confidence_sequence(
    estimate: float,
    standard_error: float,
    n: float,
    alpha: float = 0.05,
    *,
    n_star: float,
    sides: int = 2,
    tuning: Tuning = "expansion",
    minimum: float = MINIMUM,
) -> Estimate | NotEstimable:
    """The asymptotic confidence sequence at one look: it holds at all looks together with 1 - alpha.

    Args: estimate and standard_error in the metric's unit; n, the units counted over all variants compared;
    alpha, the chance that any of all intervals is ever wrong; n_star, in the same count as n; sides, 2 or 1
    (a lower bound only: negate the estimate for an upper one); minimum, below which the normal approximation
    is not trusted.

    Returns ``NotEstimable`` for fewer than ``minimum`` units or a zero standard error. Raises ValueError for
    arguments out of their range.

    >>> result = confidence_sequence(0.01, 0.0043125444, 20_200, n_star=5000)
    >>> round(result.low, 6), round(result.high, 6), round(result.p_value, 6)
    (-0.003491, 0.023491, 0.424032)
    """
    method = "asymptotic confidence sequence" if sides == 2 else "one-sided asymptotic confidence sequence"
    finite("estimate", estimate)
    nonnegative("standard_error", standard_error)
    nonnegative("n", n)
    tuned = rho(alpha, n_star, sides, tuning)
    least = max(minimum, 1.0)
    if n < least:
        return NotEstimable(method, f"{n:g} units, fewer than the {least:g} the approximation needs")
    if standard_error == 0.0:
        return NotEstimable(method, "the standard error is zero: no variation was seen")
    width = half_width(standard_error, n, alpha, n_star, sides, tuning)
    return Estimate(
        method=method,
        estimate=estimate,
        standard_error=standard_error,
        low=estimate - width,
        high=estimate + width if sides == 2 else inf,
        level=1.0 - alpha,
        p_value=p_value(estimate / standard_error, n, alpha, n_star, sides, tuning),
        assumptions=ASSUMPTIONS,
        details=(("rho", tuned), ("n", float(n)), ("n_star", float(n_star)), ("tuning", tuning)),
    )


def _two_sided(alpha: float, sides: int) -> float:
    """The two-sided level whose tuning serves: alpha itself, or twice alpha for a one-sided interval."""
    one_of("sides", sides, (1, 2))
    share("alpha", alpha)
    if sides == 1 and alpha >= 0.5:
        raise ValueError(f"alpha must be in (0, 0.5) for a one-sided interval, got {alpha!r}")
    return alpha if sides == 2 else 2.0 * alpha


METHODS: Final[dict[str, Callable[..., object]]] = {"asymptotic_confidence_sequence": confidence_sequence}
