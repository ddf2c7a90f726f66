"""Does every variant's traffic get its outcomes recorded at the same rate?

A variant whose outcomes are lost more often, or arrive later, can look better or worse than it is. The rate
can also differ for good reasons (a better answer gets more clicks), so this is a sign to look, not a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from policies.statistics.difference.contingency import chi_square
from policies.statistics.evidence import ROUNDING
from policies.statistics.kernel import over_rows
from policies.statistics.means import Mean
from policies.statistics.result import NotEstimable, Test
from policies.statistics.strata.clustered import Counts

Floats = NDArray[np.float64]


def outcome_rate(outcomes: Sequence[float], assigned: Sequence[float]) -> Test | NotEstimable:
    """Chi-square on outcomes counted by units assigned, at most one outcome a unit.

    Args: outcomes (V,) and units assigned (V,) by variant; variants without units are left out.
    ``NotEstimable`` for fewer than two variants or when all or none have their outcome. Raises ValueError for
    lengths that differ or more outcomes than units. Source: Pearson (1900); Fabijan et al. (2019).

    >>> round(outcome_rate([900, 850], [1000, 1000]).p_value, 6)
    0.000723
    """
    if len(outcomes) != len(assigned):
        raise ValueError(f"{len(outcomes)} outcome counts but {len(assigned)} assigned counts")
    pairs = [(got, of) for got, of in zip(outcomes, assigned, strict=True) if of > 0 or got > 0]
    if any(not 0 <= got <= of for got, of in pairs):
        raise ValueError("outcomes must be in 0..assigned for every variant")
    if len(pairs) < 2:
        return NotEstimable("outcome rate", "fewer than two variants have traffic")
    found = chi_square([[got, of - got] for got, of in pairs])
    if isinstance(found, NotEstimable):
        return NotEstimable("outcome rate", "all units or none have an outcome")
    return Test("outcome rate", found.statistic, found.p_value, None, found.assumptions, found.details)


def homogeneity(means: Sequence[Mean]) -> Test | NotEstimable:
    """Are several independent means equal: Cochran's Q on (number - 1) degrees of freedom?

    ``Q = sum (m_k - m)**2 / V_k``, m weighted by 1 / V. For outcome rates when a unit sends many requests:
    pass ``Mean``s clustered by unit. Means of unknown or zero variance are left out; ``NotEstimable`` when
    fewer than two are left. Source: Cochran (1954).

    >>> round(homogeneity([Mean.of_rate(900, 1000), Mean.of_rate(850, 1000)]).p_value, 6)
    0.000698
    """
    kept = [(mean.value, mean.variance) for mean in means if mean.n > 1 and mean.variance > 0.0]
    if len(kept) < 2:
        return NotEstimable("homogeneity", "fewer than two means have a known variance")
    values, variances = np.array(kept).T
    weights = 1.0 / variances / (1.0 / variances).sum()
    statistic = float(((values - weights @ values) ** 2 / variances).sum())
    df = float(len(kept) - 1)
    assumptions = ("means are independent and nearly normal",)
    return Test("homogeneity", statistic, float(chdtrc(df, statistic)), None, assumptions, (("df", df),))


def outcome_rate_by_bucket(outcomes: Floats, requests: Floats) -> Test | NotEstimable:
    """Do all variants get outcomes per request at one rate within every epoch, clustered by unit?

    A score test: with r_e the rate of all variants in epoch e, ``U_v = sum_e (O_ev - r_e N_ev)`` should be
    zero. Each bucket's pull on U_v, less what it has through r_e, gives U a covariance C over buckets, and
    ``U' C^- U`` is chi-square on rank C degrees of freedom. Holds for many requests a unit, for units that
    come back, for a rate that changes between epochs, and leaves out epochs with a single variant.

    Args: outcomes counted and requests, both (E, V, B). ``NotEstimable`` when no epoch has two variants with
    requests, or nothing varies. Raises ValueError for shapes that differ. Source: Rao (1948) for the score
    test; Liang & Zeger (1986) for clustering.

    >>> rng = np.random.default_rng(7)
    >>> requests = rng.poisson(5, (2, 2, 64)).astype(float)
    >>> complete, lossy = rng.binomial(5, 0.9, (2, 1, 64)), rng.binomial(5, 0.7, (2, 1, 64))
    >>> bool(outcome_rate_by_bucket(np.concatenate([complete, lossy], axis=1), requests).p_value < 0.001)
    True
    """
    if outcomes.shape != requests.shape or requests.ndim != 3:
        raise ValueError(f"outcomes {outcomes.shape} and requests {requests.shape} must be (E, V, B)")
    return Assigned.of(Counts.of(requests)).outcome_rate(Counts.of(outcomes))


@dataclass(frozen=True, slots=True)
class Assigned:
    """Requests, with what of them the outcome rates of all metrics are held against.

    ``kept`` (E,) are the epochs with two variants or more, ``own`` (V, V, E) the weights by which variant u's
    counts pull on U_v, and ``pulls`` (E, V, B) what a rate of 1 pulls on U_v, by bucket.
    """

    requests: Counts
    kept: NDArray[np.bool_]
    own: Floats
    pulls: Floats

    @staticmethod
    def of(requests: Counts) -> Assigned:
        """An epoch's pull on U_v is O_v - r N_v, less v's share of the same over all variants.

        Source: Rao (1948).

        >>> requests = Counts.of(np.ones((1, 2, 3)))
        >>> Assigned.of(requests).outcome_rate(requests).reason
        'zero variance: the rate is the same in every bucket'
        """
        sizes = requests.total
        kept = (sizes > 0).sum(axis=1) > 1
        shares = sizes / np.where(kept, sizes.sum(axis=1), 1.0)[:, None]
        own = kept * (np.eye(sizes.shape[1])[:, :, None] - shares.T)
        return Assigned(requests, kept, own, over_rows(own.transpose(2, 1, 0), requests.array))

    def outcome_rate(self, outcomes: Counts) -> Test | NotEstimable:
        """``outcome_rate_by_bucket`` of outcomes whose totals are known.

        Returns, errors and source as there.

        >>> requests = Counts.of(np.full((1, 2, 4), 3.0))
        >>> counted = Counts.of(np.array([[[3.0, 3.0, 2.0, 3.0], [1.0, 2.0, 0.0, 2.0]]]))
        >>> round(Assigned.of(requests).outcome_rate(counted).p_value, 6)
        0.05778
        """
        method = "outcome rate by bucket"
        if not self.kept.any():
            return NotEstimable(method, "no epoch has two variants with requests")
        together = np.where(self.kept, self.requests.total.sum(axis=1), 1.0)
        rates = outcomes.total.sum(axis=1) / together * self.kept
        pulls = over_rows(self.own, outcomes.array.swapaxes(0, 1)).sum(axis=0)
        pulls -= over_rows(rates, self.pulls.reshape(len(rates), -1)).reshape(pulls.shape)
        score = pulls.sum(axis=1)
        covariance = pulls @ pulls.T
        scale = float(np.abs(covariance).max())
        values, directions = np.linalg.eigh(covariance)
        rounding = ROUNDING * float(outcomes.total.sum())
        known = values > max(scale * 1e-10, rounding**2)
        rank = int(np.count_nonzero(known))
        if rank == 0:
            return NotEstimable(method, "zero variance: the rate is the same in every bucket")
        statistic = float(np.sum((score @ directions[:, known]) ** 2 / values[known]))
        assumptions = ("units are independent", "outcomes are mature", "one look")
        return Test(
            method, statistic, float(chdtrc(rank, statistic)), None, assumptions, (("df", float(rank)),)
        )


METHODS: Final[dict[str, Callable[..., object]]] = {
    "outcome_rate": outcome_rate,
    "homogeneity": homogeneity,
    "outcome_rate_by_bucket": outcome_rate_by_bucket,
}
