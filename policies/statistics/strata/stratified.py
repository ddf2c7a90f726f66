"""What is the effect over several epochs, when the weights changed between them?

The difference is taken within each epoch and then averaged. Pooling the epochs first would compare traffic
of different times with each other (Simpson's paradox): a ramp can turn every epoch's gain into a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

from policies.statistics.arguments import one_of
from policies.statistics.kernel import wald
from policies.statistics.means import Mean, incomparable
from policies.statistics.result import Estimate, NotEstimable

Weighting = Literal["traffic", "cmh"]
Stratum = tuple[Mean, Mean]

NONE_USABLE: Final = "no epoch has traffic in both variants"


def usable(strata: Sequence[Stratum]) -> list[Stratum]:
    """The strata in which both variants have at least one unit and a known mean.

    An epoch where a variant is paused, not yet added or without traffic says nothing about a difference.

    >>> len(usable([(Mean.of_rate(1, 2), Mean.of_rate(0, 0)), (Mean.of_rate(1, 2), Mean.of_rate(1, 2))]))
    1
    """
    return [(a, b) for a, b in strata if a.n > 0 and b.n > 0 and a.value == a.value and b.value == b.value]


def stratum_weights(sizes: Sequence[tuple[float, float]], weighting: Weighting = "traffic") -> list[float]:
    """Each stratum's weight, summing to 1, from the sizes (n_a, n_b) of its two variants.

    ``traffic``: its share of all traffic, so that the estimate is the effect on the traffic there was.
    ``cmh``: by ``n_a n_b / (n_a + n_b)`` (Cochran 1954), the most precise when the effect is constant. Raises
    ValueError for another word.

    >>> stratum_weights([(30, 10), (10, 50)])
    [0.4, 0.6]
    """
    one_of("weighting", weighting, ("traffic", "cmh"))
    raw = [a + b if weighting == "traffic" else a * b / (a + b) for a, b in sizes]
    total = sum(raw)
    return [each / total for each in raw]


def stratified(
    strata: Sequence[Stratum], alpha: float = 0.05, *, weighting: Weighting = "traffic"
) -> Estimate | NotEstimable:
    """The weighted mean of the epochs' differences: ``d = sum W_e d_e``, ``var = sum W_e**2 V_e``.

    Args: pairs (control, treatment), one an epoch, their n the traffic that weighs them; alpha; weighting,
    see ``stratum_weights``. Epochs without both variants are left out and counted in the detail
    ``strata_left_out``. Independent epochs are assumed: where units come back in several, use
    ``stratified_clustered``. Returns the effect in the metric's unit; ``NotEstimable`` when no epoch is left,
    an epoch's variance is unknown (n = 1) or all variances are zero. Raises ValueError for arguments out of
    their range. Source: Cochran (1954); Miratrix, Sekhon & Yu (2013) on post-stratification.

    >>> ramp = [(20_000, 990_000, 230, 10_000), (5000, 500_000, 6000, 500_000)]
    >>> strata = [(Mean.of_rate(a, n), Mean.of_rate(b, m)) for a, n, b, m in ramp]
    >>> round(stratified(strata).estimate, 9)
    0.00239899
    """
    method = f"stratified by epoch ({weighting} weights)"
    kept = usable(strata)
    if not kept:
        return NotEstimable(method, NONE_USABLE)
    for a, b in kept:
        problem = incomparable(method, a, b)
        if problem is not None and "zero variance" not in problem.reason:
            return problem
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
