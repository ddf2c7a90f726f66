"""What is the effect over several epochs, when the weights changed between them?

The difference is taken within each epoch and then averaged. Pooling the epochs first would compare traffic
of different times with each other (Simpson 1951): a ramp can turn every epoch's gain into a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Final, Literal

from policies.statistics.arguments import nonnegative, one_of
from policies.statistics.kernel import wald
from policies.statistics.means import Mean
from policies.statistics.result import Estimate, NotEstimable

Weighting = Literal["traffic", "cmh"]
Stratum = tuple[Mean, Mean]

NONE_USABLE: Final = "no epoch has traffic in both variants"
NONE_KNOWN: Final = "no epoch has two units or more in both variants"


def usable(strata: Sequence[Stratum]) -> list[Stratum]:
    """The strata in which both variants have two units or more, and so a mean with a variance.

    An epoch where a variant is paused, not yet added or without traffic says nothing about a difference, and
    one with a single unit says nothing of how sure it is. Raises nothing.

    >>> of = Mean.of_rate
    >>> len(usable([(of(1, 2), of(0, 0)), (of(1, 2), of(1, 1)), (of(1, 2), of(1, 2))]))
    1
    """
    return [pair for pair in strata if all(_known(each) for each in pair)]


def _known(mean: Mean) -> bool:
    return mean.n > 1 and isfinite(mean.value) and isfinite(mean.variance)


def stratum_weights(sizes: Sequence[tuple[float, float]], weighting: Weighting = "traffic") -> list[float]:
    """Each stratum's weight, summing to 1, from the sizes (n_a, n_b) of its two variants.

    ``traffic``: its share of all traffic, so that the estimate is the effect on the traffic there was.
    ``cmh``: by ``n_a n_b / (n_a + n_b)``, the most precise when the effect is constant. A stratum where one
    variant is empty has the weight 0. Raises ValueError for another word, a negative size, or when no stratum
    has both variants. Source: Cochran (1954).

    >>> stratum_weights([(30, 10), (10, 50), (7, 0)])
    [0.4, 0.6, 0.0]
    """
    one_of("weighting", weighting, ("traffic", "cmh"))
    raw = [0.0 if min(pair) == 0.0 else _size(*pair, weighting) for pair in map(_sizes, sizes)]
    total = sum(raw)
    if total == 0.0:
        raise ValueError(f"sizes must be above 0 for both variants of a stratum, got {list(sizes)!r}")
    return [each / total for each in raw]


def _sizes(pair: tuple[float, float]) -> tuple[float, float]:
    return nonnegative("size", pair[0]), nonnegative("size", pair[1])


def _size(a: float, b: float, weighting: Weighting) -> float:
    return a + b if weighting == "traffic" else a * b / (a + b)


def stratified(
    strata: Sequence[Stratum], alpha: float = 0.05, *, weighting: Weighting = "traffic"
) -> Estimate | NotEstimable:
    """The weighted mean of the epochs' differences: ``d = sum W_e d_e``, ``var = sum W_e**2 V_e``.

    Args: pairs (control, treatment), one an epoch, their n the traffic that weighs them; alpha; weighting,
    see ``stratum_weights``. Epochs in which a variant has fewer than two units, so that its variance is
    unknown, are left out and counted in the detail ``strata_left_out``. Independent epochs are assumed: where
    units come back in several, use ``stratified_clustered``. Returns the effect in the metric's unit;
    ``NotEstimable`` when no epoch is left or all variances are zero. Raises ValueError for arguments out of
    their range. Source: Cochran (1954); Miratrix, Sekhon & Yu (2013) on post-stratification.

    >>> ramp = [(20_000, 990_000, 230, 10_000), (5000, 500_000, 6000, 500_000)]
    >>> strata = [(Mean.of_rate(a, n), Mean.of_rate(b, m)) for a, n, b, m in ramp]
    >>> round(stratified(strata).estimate, 9)
    0.00239899
    """
    one_of("weighting", weighting, ("traffic", "cmh"))
    method = f"stratified by epoch ({weighting} weights)"
    kept = usable(strata)
    if not kept:
        return NotEstimable(method, NONE_KNOWN)
    weights = stratum_weights([(a.n, b.n) for a, b in kept], weighting)
    pairs = list(zip(weights, kept, strict=True))
    return wald(
        method,
        sum(w * (b.value - a.value) for w, (a, b) in pairs),
        sum(w * w * (a.variance + b.variance) for w, (a, b) in pairs),
        alpha,
        assumptions=("epochs are independent", "units are independent", "the mean is nearly normal"),
        details=(("weights", tuple(weights)), ("strata_left_out", float(len(strata) - len(kept)))),
    )


METHODS: Final[dict[str, Callable[..., object]]] = {"stratified": stratified}
