"""Did the variants get the traffic they should have got (sample ratio mismatch)?

A split that is off says that units were lost or moved on the way, and then no effect can be trusted. Count
units at assignment, not outcomes: late outcomes look like a mismatch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from policies.statistics.arguments import nonnegative, positive
from policies.statistics.kernel import two_sided
from policies.statistics.result import NotEstimable, Test

LEAST_EXPECTED: Final = 5.0
ASSUMPTIONS: Final = ("each unit is assigned once, independently", "one look")


@dataclass(frozen=True, slots=True)
class Split:
    """Counts of the variants that had weight, the shares they should have had, and the counts' variances.

    All (K,), K variants with a positive weight. ``strays`` are units counted for a variant without weight:
    that is a mismatch of its own, which no test is needed for.
    """

    counts: NDArray[np.float64]
    shares: NDArray[np.float64]
    variances: NDArray[np.float64]
    strays: float

    @staticmethod
    def of(counts: ArrayLike, weights: ArrayLike, variances: ArrayLike | None = None) -> Split:
        """From counts and weights (V,) of all variants; variances of the counting itself, 0 when exact.

        Raises ValueError for shapes that differ, negative or infinite numbers, or weights that are all zero.

        >>> Split.of([1000, 1050, 0], [1, 1, 0]).shares.tolist()
        [0.5, 0.5]
        """
        seen = np.asarray(counts, np.float64)
        weight = np.asarray(weights, np.float64)
        noise = np.zeros_like(seen) if variances is None else np.asarray(variances, np.float64)
        if seen.ndim != 1 or seen.shape != weight.shape or seen.shape != noise.shape:
            raise ValueError(f"counts {seen.shape}, weights {weight.shape}, variances {noise.shape} differ")
        for name, values in (("counts", seen), ("weights", weight), ("variances", noise)):
            if not (np.isfinite(values).all() and (values >= 0).all()):
                raise ValueError(f"{name} must be finite and >= 0")
        live = weight > 0
        if not live.any():
            raise ValueError("weights must not all be 0")
        return Split(seen[live], weight[live] / weight[live].sum(), noise[live], float(seen[~live].sum()))


def srm(counts: ArrayLike, weights: ArrayLike, variances: ArrayLike | None = None) -> Test | NotEstimable:
    """The chi-square test of a split: ``sum (o - N w)**2 / (N w)``, df = variants with weight - 1.

    With ``variances`` of the counting itself (linear counting is not exact) the multinomial covariance
    ``N (diag w - w w')`` becomes larger by ``diag(variances)``, so that the noise of the counter is not taken
    for a mismatch. Args: counts of units (V,), weights (V,) of any scale, variances (V,) in units squared.
    Detail ``strays`` counts units of variants without weight. ``NotEstimable`` for a single variant with
    weight or an expected count below 5. Raises ValueError as ``Split.of`` does. Fixed test: judge it at .001,
    and for repeated looks use ``sequential_srm``. Source: Pearson (1900); Fabijan et al. (2019).

    >>> f"{srm([821_588, 815_482], [0.5, 0.5]).p_value:.2g}", srm([1000, 1050, 0], [1, 1, 0]).detail("df")
    ('1.8e-06', 1.0)
    """
    return srm_of(Split.of(counts, weights, variances))


def srm_of(split: Split) -> Test | NotEstimable:
    """``srm`` of a split (K,) that has been checked; its results and reasons. Source: Pearson (1900).

    >>> srm_of(Split.of([530, 470], [1, 1])) == srm([530, 470], [1, 1])
    True
    """
    method = "sample ratio (chi-square)"
    total = float(split.counts.sum())
    if split.counts.size < 2:
        return NotEstimable(method, "fewer than two variants have weight")
    if total * float(split.shares.min()) < LEAST_EXPECTED:
        return NotEstimable(method, f"an expected count is below {LEAST_EXPECTED:g}")
    gap = split.counts - total * split.shares
    # One count is what the others leave of the total, so the first K - 1 differences carry everything.
    shares, noise = split.shares, split.variances
    covariance = total * (np.diag(shares) - np.outer(shares, shares)) + _centred_noise(shares, noise)
    statistic = float(gap[:-1] @ np.linalg.solve(covariance[:-1, :-1], gap[:-1]))
    df = float(shares.size - 1)
    details = (("df", df), ("units", total), ("strays", split.strays))
    return Test(method, statistic, float(chdtrc(df, statistic)), None, ASSUMPTIONS, details)


def _centred_noise(shares: NDArray[np.float64], variances: NDArray[np.float64]) -> NDArray[np.float64]:
    """What counting noise adds to the covariance of ``o - N w``, N being the sum of the noisy counts."""
    centre = np.eye(shares.size) - shares[:, None]
    noise: NDArray[np.float64] = (centre * variances) @ centre.T
    return noise


def srm_over_epochs(tests: Sequence[Test | NotEstimable], *, same_units: bool = True) -> Test | NotEstimable:
    """One test of the split over epochs whose weights differ.

    For fresh units in each epoch (``same_units`` False): the sums of chi-squares and of degrees of freedom.
    Where units come back, the epochs repeat each other's luck and that sum would raise false alarms; then the
    smallest p-value times the number of epochs, valid whatever the dependence. Args: the ``srm`` of each
    epoch; those not estimable are left out. ``NotEstimable`` when none is left.
    Source: Fisher (1925) for the sum; Bonferroni (1936).

    >>> first, second = srm([530, 470], [1, 1]), srm([90, 910], [1, 9])
    >>> round(srm_over_epochs([first, second]).p_value, 4)
    0.1156
    """
    method = "sample ratio over epochs"
    kept = [test for test in tests if isinstance(test, Test)]
    if not kept:
        return NotEstimable(method, "no epoch has enough units")
    statistic = sum(test.statistic for test in kept)
    df = sum(float(str(test.detail("df"))) for test in kept)
    smallest = min(test.p_value for test in kept if test.p_value is not None)
    p_value = min(1.0, len(kept) * smallest) if same_units else float(chdtrc(df, statistic))
    assumption = "units may come back" if same_units else "every epoch has fresh units"
    details = (("df", df), ("epochs", float(len(kept))))
    return Test(method, statistic, p_value, None, (assumption, "one look"), details)


def srm_from_probabilities(assigned: float, expected: float, variance: float) -> Test | NotEstimable:
    """Did a variant get what the recorded probabilities gave it, when these changed from unit to unit?

    ``z = (assigned - sum p_t) / sqrt(sum p_t (1 - p_t))``, for bandits and any policy that logs the
    probability of each assignment. Args: units assigned to the variant; the sum of their recorded
    probabilities of this variant over all units; the sum of p (1 - p). ``NotEstimable`` when the variance is
    zero. Raises ValueError for negative arguments. Source: Lyapunov's central limit theorem (1901).

    >>> round(srm_from_probabilities(530, 500.0, 250.0).p_value, 6)
    0.05778
    """
    nonnegative("assigned", assigned)
    nonnegative("expected", expected)
    if nonnegative("variance", variance) == 0.0:
        return NotEstimable(
            "sample ratio (recorded probabilities)", "zero variance: nothing was left to chance"
        )
    z = (assigned - expected) / sqrt(positive("variance", variance))
    return Test("sample ratio (recorded probabilities)", z, two_sided(z), None, ASSUMPTIONS)


METHODS: Final[dict[str, Callable[..., object]]] = {
    "srm": srm,
    "srm_over_epochs": srm_over_epochs,
    "srm_from_probabilities": srm_from_probabilities,
}
