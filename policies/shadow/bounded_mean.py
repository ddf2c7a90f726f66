"""Within which bounds is the mean of a few-valued quantity, at whatever moment one looks?

The hedged betting confidence sequence (Waudby-Smith & Ramdas 2024, "Estimating means of bounded random
variables by betting", JRSS B 86(1)) with a mixture of constant bets: a gambler who stakes the same share of
what may be lost on every round has a capital that depends on how often each value came, and not on the order,
so that counts are all that is kept. It is exact at any sample size, and for rare values, where a normal
approximation is not. For one share it is the beta-binomial's relative, for a difference of paired ones the
sequential counterpart of McNemar's test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, inf, log, log1p
from typing import Final

# Shares of what may be staked, from bold to timid, equally likely: whichever is right costs ln 48 at most.
_BETS: Final = tuple(0.999 * 10 ** (-3 * step / 47) for step in range(48))
_HALVINGS: Final = 44

ASSUMPTIONS: Final = (
    "given all that came before, each value's mean is the same (for a bound: on the bound's side)",
    "values lie within the bounds that are given",
)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and an interval that holds at all looks together."""

    estimate: float
    low: float
    high: float


def log_capital(counts: Mapping[float, float], mean: float, low: float, high: float) -> float:
    """The logarithm of what betting on more than ``mean`` has made of 1; above ln(1/alpha) it is refuted.

    ``counts``: how often each value came (fractions are allowed, where observations are worth less than one).
    An e-value against "the mean is at most ``mean``", for values from ``low`` to ``high``.

    >>> round(log_capital({1.0: 10, 0.0: 90}, 0.02, 0.0, 1.0), 2)
    6.46
    """
    if mean <= low:
        return inf if any(count > 0 and value > low for value, count in counts.items()) else 0.0
    if mean >= high:
        return 0.0
    # The largest stake loses everything when the lowest value comes.
    odds = [((value - mean) / (mean - low), count) for value, count in counts.items() if count > 0]
    results = [sum(count * log1p(bet * gain) for gain, count in odds) for bet in _BETS]
    best = max(results)
    return best + log(sum(exp(result - best) for result in results) / len(_BETS))


def interval(counts: Mapping[float, float], low: float, high: float, alpha: float) -> Interval | None:
    """The mean and its two-sided interval, each end at ``alpha / 2``; None where nothing was seen.

    >>> interval({0.0: 500, 1.0: 0}, 0.0, 1.0, 0.05)  # doctest: +ELLIPSIS
    Interval(estimate=0.0, low=0.0, high=0.0138...)
    """
    size = sum(counts.values())
    if size <= 0:
        return None
    mean = sum(value * count for value, count in counts.items()) / size
    mirrored = {-value: count for value, count in counts.items()}
    return Interval(
        estimate=mean,
        low=_bound(counts, mean, low, high, alpha / 2),
        high=-_bound(mirrored, -mean, -high, -low, alpha / 2),
    )


def _bound(counts: Mapping[float, float], mean: float, low: float, high: float, alpha: float) -> float:
    """The largest mean that is refuted from below; capital falls as the mean that is bet against rises."""
    needed = -log(alpha)
    refuted, standing = low, mean
    for _ in range(_HALVINGS):
        middle = (refuted + standing) / 2
        if log_capital(counts, middle, low, high) >= needed:
            refuted = middle
        else:
            standing = middle
    return refuted
