"""Do more of the bad events fall to the candidate than its share of the traffic?

Given who had how many requests that is a test of the events' split, whatever their rate is and however it
drifts (`policies.statistics.always_valid.sequential_multinomial`): e-values by epoch, which multiply. A
candidate that turns bad late should not be protected by its good past, so the product is also begun anew at
each epoch, and the products are averaged with weights that are fixed beforehand; that is an e-value again.
Events of one unit come together, so counts are divided by the design effect, the clustered variance over the
binomial one.

It holds for any shares. So the candidate is tested against all requests that the control's backend served at
the same time, whether they were of its slice or not: both were drawn in the same way. The more there are, the
fewer events it takes: none of the control's, and three of a candidate that has a twentieth of the traffic.
Flatter priors would take two, and be a second sooner; three were preferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, log
from typing import Final, Literal

from scipy.special import logsumexp

from policies.canary.first_split import first_log_bayes_factor_above
from policies.canary.methods import FIRST, LATEST, Method
from policies.canary.pairs import Pair
from policies.statistics.always_valid.sequential_multinomial import log_bayes_factor_above
from policies.statistics.observed import ObservedMetric

# The weight of the evidence since the beginning; the rest is for what began anew at a later epoch.
_FROM_THE_START: Final = 0.8


def log_e_value(pairs: Sequence[Pair], draw: Literal["unit", "request"], method: Method = LATEST) -> float:
    """The natural logarithm of the e-value that bad events fall to the candidate as requests do."""
    of_epochs = [_log_e(pair, draw, method) for pair in pairs]
    rest = 1.0 - _FROM_THE_START
    terms, later = [], 0.0
    for j in range(len(of_epochs), 0, -1):
        later += of_epochs[j - 1]
        weight = _FROM_THE_START if j == 1 else rest / ((j - 1) * j)
        terms.append(log(weight) + later)
    # Of starts that have not come yet the e-value is 1.
    terms.append(log(rest / len(of_epochs)))
    return float(logsumexp(terms))


def _log_e(pair: Pair, draw: Literal["unit", "request"], method: Method) -> float:
    effect = 1.0
    if draw == "unit":
        effect = max(design_effect(pair.control), design_effect(pair.candidate))
    counts = (pair.control.total / effect, pair.candidate.total / effect)
    if not sum(counts):
        return 0.0
    bayes_factor = first_log_bayes_factor_above if method is FIRST else log_bayes_factor_above
    return bayes_factor(counts, pair.shares, method.concentration)


def design_effect(share: ObservedMetric) -> float:
    """By how much units that fail together make a share's variance larger; 1 at least.

    With a single unit nothing is known, and all of its events count as one.
    """
    rate = share.total / share.count
    binomial = rate * (1.0 - rate) / share.count
    if share.total <= 0.0:
        return 1.0
    if not isfinite(share.mean.variance):
        return max(1.0, share.total)
    return 1.0 if binomial <= 0.0 else max(1.0, share.mean.variance / binomial)
