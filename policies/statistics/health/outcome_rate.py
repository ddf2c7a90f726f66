"""Does every variant's traffic get its outcomes recorded at the same rate?

A variant whose outcomes are lost more often, or arrive later, can look better or worse than it is. The rate
can also differ for good reasons (a better answer gets more clicks), so this is a sign to look, not a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from scipy.special import chdtrc

from policies.statistics.difference.contingency import chi_square
from policies.statistics.means import Mean
from policies.statistics.result import NotEstimable, Test


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


METHODS: Final[dict[str, Callable[..., object]]] = {"outcome_rate": outcome_rate, "homogeneity": homogeneity}
