"""Between which latencies does a quantile lie, when a user sends many requests?

The interval of Woodruff (1952) with the clustered variance of Deng, Knoblich & Lu (2018), see ``ranked``: the
quantile lies between the values at the shares q -+ t e, with e the standard error of its rank and Student's t
on G - 1 degrees of freedom. The naive interval (a design effect of 1) covers two thirds instead of 95 % at
ten requests a user. Ends are outer boundaries of their sketch cells, so that the sketch's relative error is
inside.
"""

from __future__ import annotations

from collections.abc import Callable
from math import hypot, inf
from typing import Final

from numpy.typing import ArrayLike

from policies.latency_cells import CELLS, GAMMA, RELATIVE_ERROR
from policies.statistics.arguments import positive, share
from policies.statistics.kernel import critical, two_sided
from policies.statistics.quantile.ranked import Ranked
from policies.statistics.quantile.sketch import MICROSECOND
from policies.statistics.result import Estimate, NotEstimable

ASSUMPTIONS: Final = (
    "units are independent, and all requests of a unit are in one group",
    f"latencies are known to a relative error of {RELATIVE_ERROR:g}",
)
_INTERVAL: Final = "clustered quantile interval"
_DIFFERENCE: Final = "clustered difference of quantiles"
_FARTHEST: Final = 38.0  # standard errors, where a normal tail leaves double precision


def clustered_quantile(
    histogram: ArrayLike, q: float, alpha: float = 0.05, *, multiplier: float | None = None
) -> Estimate | NotEstimable:
    """The q-quantile in seconds, with an interval that holds for many requests a unit.

    Args: histogram, counts (G, K) of G groups of units by K latency cells (``policies.latency_cells``);
    q in (0, 1); multiplier, standard errors in place of Student's t: an always-valid critical value (see
    ``asymptotic.critical_value``) makes it an interval that may be looked at at any time.

    An end beyond all that was seen is infinite (below: 0). Returns ``NotEstimable`` for fewer than two groups
    with requests; raises ValueError for another shape or arguments out of range.

    >>> from policies.statistics.sample import latencies
    >>> result = clustered_quantile(latencies(), 0.5)
    >>> round(result.estimate, 5), round(result.low, 5), round(result.high, 5)
    (0.00625, 0.00613, 0.00664)
    """
    found = Ranked.of(_INTERVAL, histogram, q)
    share("alpha", alpha)
    return found if isinstance(found, NotEstimable) else ranked_quantile(found, alpha, multiplier=multiplier)


def ranked_quantile(found: Ranked, alpha: float, *, multiplier: float | None = None) -> Estimate:
    """``clustered_quantile`` of a quantile that has been found before; its results, errors and source.

    >>> from policies.statistics.sample import latencies
    >>> found = Ranked.of("example", latencies(), 0.5)
    >>> ranked_quantile(found, 0.05).estimate == clustered_quantile(latencies(), 0.5).estimate
    True
    """
    width = critical(alpha, found.groups - 1) if multiplier is None else _multiplier(multiplier)
    low, high = found.cell(-width), found.cell(width)
    return Estimate(
        method=_INTERVAL,
        estimate=found.centre(0.0),
        low=0.0 if not low else MICROSECOND * GAMMA ** (low - 1),
        high=inf if high in (None, CELLS - 1) else MICROSECOND * GAMMA ** (high or 0),
        level=1.0 - alpha,
        assumptions=ASSUMPTIONS,
        details=(("share_error", found.error), ("groups", float(found.groups)), ("multiplier", width)),
    )


def clustered_quantile_difference(
    a: ArrayLike, b: ArrayLike, q: float, alpha: float = 0.05, *, multiplier: float | None = None
) -> Estimate | NotEstimable:
    """The difference of the q-quantiles (b less the control a), in seconds, from two (G, K) histograms.

    The ends' distances l and u are combined as by Zou & Donner (2008, "Construction of confidence limits
    about effect measures", Statistics in Medicine): ``d - sqrt((q_b - l_b)**2 + (u_a - q_a)**2)`` below,
    alike above. Sampling is combined so, between cells' values; the sketch's relative error of both ends is
    then added whole, because it does not average out. The p-value is that of the multiplier at which the
    interval would just reach zero (None when a multiplier was given). Arguments, ``NotEstimable`` and errors
    as for ``clustered_quantile``.

    >>> from policies.statistics.sample import latencies
    >>> result = clustered_quantile_difference(latencies(), latencies(slower=20), 0.5)
    >>> round(result.estimate, 5), result.low > 0, result.p_value < 0.001
    (0.00767, True, True)
    """
    base, other = Ranked.of(_DIFFERENCE, a, q), Ranked.of(_DIFFERENCE, b, q)
    share("alpha", alpha)
    if isinstance(base, NotEstimable):
        return NotEstimable(_DIFFERENCE, f"control: {base.reason}")
    if isinstance(other, NotEstimable):
        return NotEstimable(_DIFFERENCE, f"treatment: {other.reason}")
    return ranked_difference(base, other, alpha, multiplier=multiplier)


def ranked_difference(
    base: Ranked, other: Ranked, alpha: float, *, multiplier: float | None = None
) -> Estimate:
    """``clustered_quantile_difference`` of quantiles that have been found before; its results and source.

    >>> from policies.statistics.sample import latencies
    >>> found = Ranked.of("example", latencies(), 0.5)
    >>> ranked_difference(found, found, 0.05).p_value
    1.0
    """
    freedom = min(base.groups, other.groups) - 1
    width = critical(alpha, freedom) if multiplier is None else _multiplier(multiplier)
    centres = base.centre(0.0), other.centre(0.0)
    difference = centres[1] - centres[0]
    down, up = _reach(base, other, centres, width), _reach(base, other, centres, -width)
    return Estimate(
        method=_DIFFERENCE,
        estimate=difference,
        low=difference - down,
        high=difference + up,
        level=1.0 - alpha,
        p_value=_p_value(base, other, centres, freedom) if multiplier is None else None,
        assumptions=ASSUMPTIONS,
        details=(
            ("control", centres[0]),
            ("treatment", centres[1]),
            ("df", float(freedom)),
            ("multiplier", width),
        ),
    )


def _multiplier(value: float) -> float:
    """Any number above 0; an infinite one bounds nothing."""
    return value if value == inf else positive("multiplier", value)


def _reach(base: Ranked, other: Ranked, centres: tuple[float, float], multiplier: float) -> float:
    """How far below (multiplier > 0) or above (< 0) the difference its interval ends, in seconds."""
    end_a, end_b = base.centre(multiplier), other.centre(-multiplier)
    if inf in (end_a, end_b):
        return inf
    return hypot(centres[0] - end_a, centres[1] - end_b) + RELATIVE_ERROR * (end_a + end_b)


def _p_value(base: Ranked, other: Ranked, centres: tuple[float, float], freedom: int) -> float:
    """Bisection on the multiplier: the interval grows with it, in steps of cells."""
    difference = centres[1] - centres[0]
    side = 1.0 if difference > 0.0 else -1.0
    distance = abs(difference)
    low, high = 0.0, _FARTHEST
    if _reach(base, other, centres, side * 1e-9) >= distance:
        return 1.0
    if _reach(base, other, centres, side * high) < distance:
        return two_sided(high, freedom)
    for _ in range(32):
        middle = (low + high) / 2.0
        reached = _reach(base, other, centres, side * middle) >= distance
        low, high = (low, middle) if reached else (middle, high)
    return two_sided(high, freedom)


METHODS: Final[dict[str, Callable[..., object]]] = {
    "clustered_quantile": clustered_quantile,
    "clustered_quantile_difference": clustered_quantile_difference,
}
