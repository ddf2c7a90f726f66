"""How many units does an effect need, what is the least effect that can be seen, and how many days are left?

For an estimate whose variance is v / n after n units over both variants, v = s2_a / (1 - w) + s2_b / w with a
share w in the treatment,

    power  = Phi(|effect| sqrt(n / v) - c(n))  (+ the other tail when two-sided)
    n      solves it for n;   MDE = (c(n) + z_power) sqrt(v / n)

with c(n) the design's critical value: the normal quantile for one look, the confidence sequence's multiplier
for looks at any time (about 1.5 times as much; the power is then that of the look at n alone, a lower bound
of that of all looks until then). Sources: Fleiss, Levin & Paik 2003, ch. 4; Waudby-Smith et al. 2024.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, log, sqrt
from typing import Final

from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from policies.statistics.arguments import finite, nonnegative, positive, share
from policies.statistics.planning.design import ONE_LOOK, Design
from policies.statistics.result import NotEstimable


@dataclass(frozen=True, slots=True)
class Plan:
    """Units over both variants: needed in all, still needed, and the days those take (inf: no traffic)."""

    units: float
    units_left: float
    days_left: float


def reachable(target: float, design: Design) -> float:
    """The power asked for, if it is above alpha: with no effect at all a design calls one so often.

    Raises ValueError otherwise. Source: Neyman & Pearson (1936): an unbiased test's power is at least alpha.

    >>> reachable(0.8, ONE_LOOK)
    0.8
    """
    if not share("target", target) > design.alpha:
        raise ValueError(f"target must be in (alpha, 1) with alpha = {design.alpha:g}, got {target!r}")
    return target


def unit_variance(variance_a: float, variance_b: float, share_b: float = 0.5) -> float:
    """v, such that the difference of means has the variance v / n after n units over both variants.

    Args: variances of one unit's value; share_b, the treatment's share of the units. Raises ValueError for
    arguments out of range.

    >>> unit_variance(1.0, 1.0), unit_variance(1.0, 1.0, 0.1) > 4
    (4.0, True)
    """
    share("share_b", share_b)
    return (
        nonnegative("variance_a", variance_a) / (1.0 - share_b)
        + nonnegative("variance_b", variance_b) / share_b
    )


def power(effect: float, variance: float, n: float, design: Design = ONE_LOOK) -> float:
    """The probability of calling an effect of this size at n units.

    Args: effect in the metric's unit; variance, v of ``unit_variance``; n, units over both variants. Raises
    ValueError for arguments out of range.

    >>> round(power(0.01, unit_variance(0.09, 0.0979), 30_000), 4)
    0.8066
    """
    critical = design.critical(positive("n", n))
    z = abs(finite("effect", effect)) * sqrt(n / positive("variance", variance))
    return float(ndtr(z - critical) + (ndtr(-z - critical) if design.sides == 2 else 0.0))


def sample_size(
    effect: float, variance: float, target: float = 0.8, design: Design = ONE_LOOK
) -> float | NotEstimable:
    """Units over both variants that call this effect with the power ``target`` (the far tail left out).

    Returns ``NotEstimable`` for no effect or no variance; raises ValueError for arguments out of range.

    >>> round(sample_size(0.01, unit_variance(0.09, 0.0979)) / 2, 3)
    14748.045
    """
    finite("effect", effect)
    reachable(target, design)
    if effect == 0.0:
        return NotEstimable("sample size", "no effect: no number of units shows it")
    if nonnegative("variance", variance) == 0.0:
        return NotEstimable("sample size", "the variance is zero")
    quantile = float(ndtri(target))

    def excess(log_n: float) -> float:
        n = exp(log_n)
        return (design.critical(n) + quantile) * sqrt(variance / n) / abs(effect) - 1.0

    low = high = log(variance) - 2.0 * log(abs(effect))
    while excess(low) < 0.0:
        low -= 2.0
    while excess(high) > 0.0:
        high += 2.0
    return exp(float(brentq(excess, low, high, xtol=1e-13)) if low < high else low)


def minimum_detectable_effect(
    variance: float, n: float, target: float = 0.8, design: Design = ONE_LOOK
) -> float:
    """The least effect, in the metric's unit, that n units call with the power ``target``.

    0 where the variance is. Raises ValueError for arguments out of range, such as a target not above alpha.

    >>> round(minimum_detectable_effect(unit_variance(0.09, 0.0979), 2 * 14748.045), 9)
    0.01
    """
    reachable(target, design)
    scale = sqrt(nonnegative("variance", variance) / positive("n", n))
    return (design.critical(n) + float(ndtri(target))) * scale


def minimum_detectable_lift(
    mean_a: float,
    variance_a: float,
    variance_b: float,
    n: float,
    share_b: float = 0.5,
    target: float = 0.8,
    design: Design = ONE_LOOK,
) -> float | NotEstimable:
    """The least relative lift that n units call, its standard error growing with the lift itself.

    With A = s2_b / (n_b mean**2), B = s2_a / (n_a mean**2), k = c(n) + z_power: the positive root of
    L**2 (1 - k**2 B) - 2 k**2 B L - k**2 (A + B) = 0. Returns ``NotEstimable`` for a zero control mean, or
    when k**2 B >= 1: the control is not known well enough for any lift.

    >>> round(minimum_detectable_lift(0.1, 0.09, 0.09, 30_000), 4)
    0.1021
    """
    method = "minimum detectable lift"
    share("share_b", share_b)
    reachable(target, design)
    positive("n", n)
    if finite("mean_a", mean_a) == 0.0:
        return NotEstimable(method, "the control's mean is zero")
    a = nonnegative("variance_b", variance_b) / (n * share_b * mean_a**2)
    b = nonnegative("variance_a", variance_a) / (n * (1.0 - share_b) * mean_a**2)
    k2 = (design.critical(n) + float(ndtri(target))) ** 2
    lead = 1.0 - k2 * b
    if lead <= 0.0:
        return NotEstimable(method, "the control's mean is not known well enough for any lift")
    return (k2 * b + sqrt((k2 * b) ** 2 + lead * k2 * (a + b))) / lead


def days_left(
    effect: float,
    standard_error: float,
    n: float,
    units_per_day: float,
    target: float = 0.8,
    design: Design = ONE_LOOK,
) -> Plan | NotEstimable:
    """How long until an effect of this size is called, from the standard error reached at n units.

    Args: effect to be seen and the present standard_error, in the metric's unit; n, units so far over both
    variants; units_per_day, new units. Returns ``NotEstimable`` as ``sample_size``, for no units yet, and for
    a target not above the design's alpha, which needs no effect. Raises ValueError for other arguments out
    of range.

    >>> plan = days_left(0.01, 0.006, 10_000, 2_500)
    >>> round(plan.units), round(plan.days_left, 2)
    (28256, 7.3)
    """
    method = "days left"
    nonnegative("units_per_day", units_per_day)
    if nonnegative("n", n) == 0.0:
        return NotEstimable(method, "no units yet: no standard error to go by")
    if share("target", target) <= design.alpha:
        return NotEstimable(method, "the power asked for is not above alpha: chance alone has it")
    needed = sample_size(effect, nonnegative("standard_error", standard_error) ** 2 * n, target, design)
    if isinstance(needed, NotEstimable):
        return NotEstimable(method, needed.reason)
    left = max(0.0, needed - n)
    days = 0.0 if left == 0.0 else inf if units_per_day == 0.0 else left / units_per_day
    return Plan(needed, left, days)


METHODS: Final[dict[str, Callable[..., object]]] = {
    "power": power,
    "sample_size": sample_size,
    "minimum_detectable_effect": minimum_detectable_effect,
    "minimum_detectable_lift": minimum_detectable_lift,
    "days_left": days_left,
}
