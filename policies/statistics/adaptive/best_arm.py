"""How should traffic be split to name the best variant soonest, and when is it named? (Track-and-Stop)

Garivier & Kaufmann (2016, "Optimal best arm identification with fixed confidence", COLT). With the best mean
mu_1 and g_a(x) = d(mu_1, m) + x d(mu_a, m), m = (mu_1 + x mu_a) / (1 + x), the optimal shares are
w_a / w_1 = x_a(y) = g_a^-1(y) at the y where sum_a d(mu_1, m_a) / d(mu_a, m_a) = 1, and the characteristic
time is T* = 1 / (w_1 y): about T* ln(1/delta) samples name the best with an error of delta. Also the constant
of Lai & Robbins (1985), which no consistent policy's regret per ln T can stay below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, log
from typing import Final, Literal

from scipy.optimize import brentq

from policies.statistics.adaptive.bernoulli_indices import bernoulli_divergence
from policies.statistics.arguments import finite, nonnegative, one_of, share
from policies.statistics.result import NotEstimable, Test

_NEAREST: Final = 1e-6

Family = Literal["bernoulli", "gaussian"]
Divergence = Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class Proportions:
    """Shares of the traffic by variant (they sum to 1), and the characteristic time in samples."""

    shares: tuple[float, ...]
    characteristic_time: float


def optimal_proportions(means: Sequence[float], family: Family = "bernoulli") -> Proportions | NotEstimable:
    """The shares w* and the characteristic time T* for these true means (Gaussian: of variance 1).

    Returns ``NotEstimable`` for fewer than two variants, or when the best is tied (no time suffices). Raises
    ValueError for an unknown family or Bernoulli means outside (0, 1).

    >>> result = optimal_proportions([0.5, 0.45, 0.43, 0.4])
    >>> [round(w, 3) for w in result.shares], round(result.characteristic_time, 2)
    ([0.417, 0.39, 0.136, 0.057], 989.79)
    """
    method = "optimal proportions"
    divergence = _divergence(means, family)
    if len(means) < 2:
        return NotEstimable(method, "fewer than two variants")
    if family == "gaussian":  # only differences matter, and an offset would take their digits
        top = max(means)
        means = [mean - top for mean in means]
    best = max(means)
    others = [mean for mean in means if mean != best]
    # Nearer than this rounding is most of a divergence, and 10^12 samples would not do.
    if len(others) < len(means) - 1 or best - max(others) < _NEAREST:
        return NotEstimable(method, "the best mean is tied, or nearly: no number of samples names it")
    ceiling = min(divergence(best, mean) for mean in others)

    def balance(y: float) -> float:
        total = 0.0
        for mean in others:
            x = _ratio(y, best, mean, divergence)
            middle = (best + x * mean) / (1.0 + x)
            total += divergence(best, middle) / divergence(mean, middle)
        return min(total, 1e6) - 1.0

    # The root is where the nearest rival's two divergences are at most equal: well below the ceiling, near
    # which nothing but rounding is left of them.
    y = float(brentq(balance, 0.0, ceiling * (1.0 - 1e-6), xtol=ceiling * 1e-14, rtol=1e-14))
    ratios = [1.0 if mean == best else _ratio(y, best, mean, divergence) for mean in means]
    total = sum(ratios)
    return Proportions(tuple(x / total for x in ratios), total / y)


def best_arm_stopping(
    means: Sequence[float], counts: Sequence[float], delta: float = 0.05, family: Family = "bernoulli"
) -> Test | NotEstimable:
    """The generalised likelihood ratio that the leader is the best; stop when it exceeds the threshold.

    Args: mean rewards and counts by variant. ``statistic`` is the least over rivals b of
    n_a d(mu_a, mu_ab) + n_b d(mu_b, mu_ab); ``detail("threshold")`` is ln((1 + ln t) / delta). Returns
    ``NotEstimable`` when a variant was not tried, or there are fewer than two; raises ValueError for
    arguments out of range.

    >>> result = best_arm_stopping([0.5, 0.4], [2000, 2000])
    >>> round(result.statistic, 3), round(result.detail("threshold"), 3)
    (20.238, 5.225)
    """
    method = "best-arm stopping rule"
    share("delta", delta)
    divergence = _divergence(means, family, open_ends=False)
    if len(means) != len(counts):
        raise ValueError(f"means and counts must be as many, got {len(means)} and {len(counts)}")
    if len(means) < 2:
        return NotEstimable(method, "fewer than two variants")
    if min(nonnegative("counts", count) for count in counts) == 0.0:
        return NotEstimable(method, "a variant was not tried yet")
    leader = max(range(len(means)), key=means.__getitem__)
    ratio = inf
    for rival in range(len(means)):
        if rival != leader:
            n_a, n_b = counts[leader], counts[rival]
            middle = (n_a * means[leader] + n_b * means[rival]) / (n_a + n_b)
            ratio = min(
                ratio, n_a * divergence(means[leader], middle) + n_b * divergence(means[rival], middle)
            )
    threshold = log((1.0 + log(max(sum(counts), 1.0))) / delta)
    details = (("threshold", threshold), ("leader", float(leader)))
    return Test(method, ratio, assumptions=("independent rewards of the family named",), details=details)


def lai_robbins_constant(means: Sequence[float], family: Family = "bernoulli") -> float:
    """sum over worse variants of (best - mean) / d(mean, best): regret grows at least so much per ln T.

    Args: true means by variant. Raises ValueError for no means, an unknown family, or means out of range.

    >>> round(lai_robbins_constant([0.9, 0.8]), 6)
    2.2521
    """
    divergence = _divergence(means, family)
    if not means:
        raise ValueError("means must not be empty")
    best = max(means)
    return sum((best - mean) / divergence(mean, best) for mean in means if mean != best)


def _ratio(y: float, best: float, mean: float, divergence: Divergence) -> float:
    """x_a(y): how much traffic beside the best's makes the two y apart."""

    def apart(x: float) -> float:
        middle = (best + x * mean) / (1.0 + x)
        return divergence(best, middle) + x * divergence(mean, middle) - y

    if y <= 0.0:
        return 0.0
    high = 1.0
    while apart(high) < 0.0 and high < 1e15:
        high *= 4.0
    return high if apart(high) < 0.0 else float(brentq(apart, 0.0, high, xtol=1e-15, rtol=1e-14))


def _divergence(means: Sequence[float], family: Family, *, open_ends: bool = True) -> Divergence:
    one_of("family", family, ("bernoulli", "gaussian"))
    if family == "gaussian":
        for mean in means:
            finite("means", mean)
        return lambda p, q: (p - q) ** 2 / 2.0
    for mean in means:
        if open_ends:
            share("means", mean)
        elif not 0.0 <= mean <= 1.0:
            raise ValueError(f"means must be in [0, 1], got {mean!r}")
    return bernoulli_divergence


METHODS: Final[dict[str, Callable[..., object]]] = {
    "optimal_proportions": optimal_proportions,
    "best_arm_stopping": best_arm_stopping,
    "lai_robbins_constant": lai_robbins_constant,
}
