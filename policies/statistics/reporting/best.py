"""How probable is it of each variant, the control too, that it is the best in one metric?"""

from __future__ import annotations

from math import sqrt

import numpy as np

from policies.statistics.bayes.thompson import thompson_weights
from policies.statistics.reporting.compare import Comparer
from policies.statistics.reporting.settings import AnalysisSettings
from policies.statistics.reporting.traffic import Measured, Traffic
from policies.statistics.result import NotEstimable

Chance = float | NotEstimable


def probabilities_best(
    traffic: Traffic, metric: Measured, comparer: Comparer, settings: AnalysisSettings, held: str | None
) -> list[Chance]:
    """The probability to be the best of each of V variants, control first; they sum to 1.

    Of Normal posteriors under flat priors, taken as independent, from each variant's mean over the epochs
    that all of them have, stratified by epoch and clustered by unit. A variant that never had traffic is not
    compared. ``NotEstimable`` with the reason when the evidence is too thin or not mature, for operational
    metrics, and when ``held`` says why no effect can be trusted.
    """
    name, count = metric.spec.name, len(traffic.variants)
    compared = np.flatnonzero(traffic.routed.sum(axis=0)).tolist()
    reason = held
    if metric.family != "declared":
        reason = "for declared metrics only"
    elif held is None and len(compared) < 2:
        reason = "fewer than two variants have traffic"
    if reason is not None:
        return [NotEstimable(name, reason)] * count
    found = comparer.together(compared)
    if isinstance(found, NotEstimable):
        return [found] * count
    late = traffic.too_immature(compared, found.kept, settings.max_immature_share)
    if late is not None:
        return [NotEstimable(name, late)] * count
    errors = [sqrt(mean.variance) for mean in found.means]
    if min(errors) == 0.0:
        return [NotEstimable(name, "zero variance")] * count
    chances: list[Chance] = [NotEstimable(name, "no traffic yet")] * count
    means = [mean.value for mean in found.means]
    for v, chance in zip(compared, thompson_weights(means, errors, sign=metric.spec.sign), strict=True):
        chances[v] = chance
    return chances
