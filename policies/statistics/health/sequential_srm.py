"""Is the split off, by a test that may be looked at after every unit?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, inf, log
from typing import Final

from numpy.typing import ArrayLike

from policies.statistics.always_valid.sequential_multinomial import log_bayes_factor
from policies.statistics.health.srm import Split
from policies.statistics.result import NotEstimable, Test


def sequential_srm(
    counts: ArrayLike,
    weights: ArrayLike,
    variances: ArrayLike | None = None,
    *,
    concentration: float = 10_000.0,
) -> Test | NotEstimable:
    """The Bayes factor of a Dirichlet(k w) mixture of splits against the split w: always valid.

    ``ln BF = ln B(k w + counts) - ln B(k w) - sum counts ln w``; under the right split it is a test
    martingale from 1, so P(ever BF >= 1/a) <= a (Ville) and ``p = min(1, 1/BF)`` holds at every look. Args:
    counts of units (V,); weights (V,) of any scale; variances (V,) of the counting itself; concentration k, a
    large one is tuned to small mismatches (10,000: about one per cent). With counting noise the counts are
    scaled down until the multinomial variance of the most affected variant covers both, which keeps a
    mismatch's z. ``NotEstimable`` for a single variant with weight. Raises ValueError as ``Split.of`` does.
    Source: Lindon & Malek (2022), "Anytime-valid inference for multinomial count data".

    >>> result = sequential_srm([530, 470], [0.5, 0.5], concentration=100)
    >>> round(result.log_e_value, 6), round(result.p_value, 6)
    (0.437446, 0.645683)
    """
    return sequential_srm_of(Split.of(counts, weights, variances), concentration)


def sequential_srm_of(split: Split, concentration: float) -> Test | NotEstimable:
    """``sequential_srm`` of a split (K,) that has been checked. Source: Lindon & Malek (2022).

    >>> round(sequential_srm_of(Split.of([530, 470], [1, 1]), 100).log_e_value, 6)
    0.437446
    """
    method = "sequential sample ratio"
    if split.counts.size < 2:
        return NotEstimable(method, "fewer than two variants have weight")
    seen = split.counts * _exactness(split)
    log_e = log_bayes_factor(seen.tolist(), split.shares.tolist(), concentration)
    details = (("units", float(split.counts.sum())), ("strays", split.strays))
    return Test(method, log_e, exp(min(0.0, -log_e)), log_e, ("each unit is assigned once",), details)


def _exactness(split: Split) -> float:
    """The share of a count's variance that assignment explains, not the counter: 1 for exact counts."""
    total = float(split.counts.sum())
    if total == 0.0:
        return 1.0
    assigned = total * split.shares * (1.0 - split.shares)
    counter = (1.0 - split.shares) ** 2 * split.variances
    counter = counter + split.shares**2 * (split.variances.sum() - split.variances)
    return float((assigned / (assigned + counter)).min())


def sequential_srm_over_epochs(tests: Sequence[Test | NotEstimable]) -> Test | NotEstimable:
    """All epochs' sequential tests as one, however the epochs depend on each other.

    The same units come back in later epochs, so neither a product nor a mean of e-values would be valid.
    Epoch i (from 1) gets the share ``1 / (i (i+1))`` of the error, whatever the number of epochs to come:
    ``p = min_i p_i i (i+1)``, by the union bound. Args: the ``sequential_srm`` of each epoch, in order; those
    not estimable spend their share and count for nothing. ``NotEstimable`` when none is left.
    Source: Boole's inequality; Foster & Stine (2008) for the spending.

    >>> first, second = (sequential_srm(c, [1, 1]) for c in ([50_700, 49_300], [500, 500]))
    >>> round(sequential_srm_over_epochs([first, second]).p_value, 6)
    0.000896
    """
    best = -inf
    for i, test in enumerate(tests, start=1):
        if isinstance(test, Test) and test.log_e_value is not None:
            best = max(best, test.log_e_value - log(i * (i + 1)))
    if best == -inf:
        return NotEstimable("sequential sample ratio over epochs", "no epoch has two variants with weight")
    return Test(
        "sequential sample ratio over epochs", best, exp(min(0.0, -best)), best, ("units may come back",)
    )


METHODS: Final[dict[str, Callable[..., object]]] = {
    "sequential_srm": sequential_srm,
    "sequential_srm_over_epochs": sequential_srm_over_epochs,
}
