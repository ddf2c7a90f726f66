"""How probable is it of each variant, the control too, that it is the best in one metric?"""

from __future__ import annotations

from math import inf, sqrt

import numpy as np

from policies.metric import BetaPrior, MetricSpec
from policies.statistics.bayes.thompson import thompson_weights
from policies.statistics.reporting.comparer import Comparer
from policies.statistics.reporting.contrasts import contrasts
from policies.statistics.reporting.traffic import Traffic
from policies.statistics.result import NotEstimable
from policies.statistics.strata.additive_fit import quasi_variances

Chance = float | NotEstimable


def normal_prior(spec: MetricSpec) -> tuple[float, float]:
    """The metric's prior as the mean and the standard deviation of a normal; a flat one where it has none.

    A Beta(a, b) has the mean a / (a + b) and the variance a b / ((a + b)**2 (a + b + 1)).

    >>> normal_prior(MetricSpec("clicks", "binary", prior=BetaPrior(1.0, 1.0)))
    (0.5, 0.28867513459481287)
    """
    prior = spec.prior
    if prior is None:
        return 0.0, inf
    if isinstance(prior, BetaPrior):
        total = prior.alpha + prior.beta
        return prior.alpha / total, sqrt(prior.alpha * prior.beta / (total + 1.0)) / total
    return prior.mean, prior.deviation


def probabilities_best(traffic: Traffic, comparer: Comparer, held: str | None) -> list[Chance]:
    """The probability to be the best of each of V variants, control first; they sum to 1.

    Of Normal posteriors of the variants' contrasts: an additive model of variants and epochs, so that a
    variant counts that shared its epochs with some of the others only; clustered by unit over all epochs;
    under the metric's prior, if it has one, else a flat one. The quadrature takes the posteriors as
    independent, with quasi-variances that give every difference its own variance (Firth & de Menezes 2004),
    exactly for two and three variants.

    A variant that never had traffic, or shares no epoch with the others, is not compared. ``NotEstimable``
    with the reason when the evidence is too thin or not mature, for operational metrics, and when ``held``
    says why no effect can be trusted.

    >>> from policies.statistics.sample import comparer, traffic
    >>> [round(chance, 4) for chance in probabilities_best(traffic(), comparer(), None)]
    [0.0198, 0.9802]
    """
    metric, count = comparer.metric, len(traffic.variants)
    name = metric.spec.name
    compared = np.flatnonzero(traffic.routed.sum(axis=0)).tolist()
    reason = held
    if metric.family != "declared":
        reason = "for declared metrics only"
    elif held is None and len(compared) < 2:
        reason = "fewer than two variants have traffic"
    if reason is not None:
        return [NotEstimable(name, reason)] * count
    found = contrasts(comparer)
    if isinstance(found, NotEstimable):
        return [found] * count
    if found.late is not None:
        return [NotEstimable(name, found.late)] * count

    deviation = normal_prior(metric.spec)[1]
    found = found if deviation == inf else found.shrunk(deviation)
    errors = np.sqrt(quasi_variances(found.between())[0]).tolist()
    chances: list[Chance] = [NotEstimable(name, "no traffic yet")] * count
    for v in compared:
        chances[v] = NotEstimable(name, "shares no epoch with the other variants")
    weights = thompson_weights(found.values.tolist(), errors, sign=metric.spec.sign)
    for v, chance in zip(found.variants, weights, strict=True):
        chances[v] = chance
    return chances
