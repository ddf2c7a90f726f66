"""Does the candidate harm, is it safe, or is there too little data to say?

Each guardrail is tested by evidence that may be looked at at any time, and never pools two epochs: every step
is one of its own.

*Harm*: of the errors, and of the requests over a latency limit, the candidate has more than its share. Given
who had how many requests that is a test of the events' split, whatever their rate is and however it drifts
(`policies.statistics.always_valid.sequential_multinomial`): e-values by epoch, which multiply. A candidate
that turns bad late should not be protected by its good past, so the product is also begun anew at each epoch,
and the products are averaged with weights that are fixed beforehand; that is an e-value again. Events of one
unit come together, so counts are divided by the design effect, the clustered variance over the binomial one.
A metric's difference has a one-sided confidence sequence. With G guardrails each has the level alpha / G
(Holm's first step). Beyond the test, the harm that is seen must be larger than the margin.

*Safe*: for every guardrail the one-sided confidence sequence of the harm ends below its margin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, log, sqrt
from typing import Final, Literal

import numpy as np
from scipy.special import logsumexp

from policies.canary.findings import UNSURE, Finding, Verdict, Word
from policies.statistics.always_valid import asymptotic
from policies.statistics.always_valid.sequential_multinomial import log_bayes_factor_above
from policies.statistics.observed import ObservedEpoch, ObservedMetric, ObservedVariant

# The prior on a candidate's share of the bad events: flat enough to see in few events that most are its.
CONCENTRATION: Final = 1.0
# The weight of the evidence since the beginning; the rest is for what began anew at a later epoch.
_FROM_THE_START: Final = 0.8


@dataclass(frozen=True, slots=True)
class Guardrail:
    """What is watched: ``sign`` is -1 where less is better; ``share`` where values are 0 or 1.

    ``events`` says that the bad events' split is tested for harm; ``of`` picks the numbers.
    """

    name: str
    margin: float
    sign: int
    share: bool
    events: bool
    of: Callable[[ObservedVariant], ObservedMetric | None]


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds for all guardrails: who is compared, how units were drawn, the level, and the tuning."""

    candidate: str
    control: str
    draw: Literal["unit", "request"]
    alpha: float
    tuning_units: float


@dataclass(frozen=True, slots=True)
class Pair:
    """A guardrail's numbers in one epoch: of the control's slice and of the candidate."""

    control: ObservedMetric
    candidate: ObservedMetric
    units: float
    shares: tuple[float, float]


def judge(epochs: Sequence[ObservedEpoch], guardrails: Sequence[Guardrail], setting: Setting) -> Verdict:
    """The verdict on a rollout from its epochs; ``not enough data`` where there is no guardrail."""
    level = setting.alpha / max(len(guardrails), 1)
    findings = tuple(_finding(each, _pairs(epochs, each, setting), setting, level) for each in guardrails)
    words = {each.verdict for each in findings}
    word: Word = "harm" if "harm" in words else "safe" if words == {"safe"} else UNSURE
    return Verdict(word, findings)


def _pairs(epochs: Sequence[ObservedEpoch], guardrail: Guardrail, setting: Setting) -> list[Pair]:
    """The epochs in which both had something."""
    found = []
    for epoch in epochs:
        control, candidate = (epoch.variants.get(name) for name in (setting.control, setting.candidate))
        if control is None or candidate is None:
            continue
        a, b = guardrail.of(control), guardrail.of(candidate)
        if a is None or b is None or not (a.count > 0 and b.count > 0):
            continue
        if setting.draw == "request":
            units = float(control.requests + candidate.requests)
            shares = (epoch.weights[setting.control], epoch.weights[setting.candidate])
        else:
            units, shares = control.units + candidate.units, (a.count, b.count)
        found.append(Pair(a, b, units, shares))
    return found


def _finding(guardrail: Guardrail, pairs: Sequence[Pair], setting: Setting, level: float) -> Finding:
    if not pairs:
        return Finding(guardrail.name, UNSURE, guardrail.margin)
    each = [_harm(pair, guardrail) for pair in pairs]
    known = [
        (pair, harm, variance)
        for pair, (harm, variance) in zip(pairs, each, strict=True)
        if isfinite(harm) and isfinite(variance)
    ]
    sizes = [
        pair.control.count * pair.candidate.count / (pair.control.count + pair.candidate.count)
        for pair, _, _ in known
    ]
    total = sum(sizes)
    shares = [size / total for size in sizes]
    harm = sum(share * each for share, (_, each, _) in zip(shares, known, strict=True))
    error = _standard_error(shares, [variance for _, _, variance in known], setting.draw)
    units = sum(pair.units for pair, _, _ in known)

    enough = bool(known) and units >= asymptotic.MINIMUM and error > 0.0
    upper = inf
    p_value = 1.0
    if enough:
        upper = harm + asymptotic.half_width(error, units, setting.alpha, setting.tuning_units, sides=1)
    if guardrail.events:
        p_value = exp(min(0.0, -log_e_value(pairs, setting.draw)))
    elif enough:
        p_value = asymptotic.p_value(harm / error, units, level, setting.tuning_units, sides=1)

    # The last epoch's own harm, too: a candidate that turned bad is not excused by what it was.
    seen = max(harm, each[-1][0] if isfinite(each[-1][0]) else -inf) if known else -inf
    word: Word = UNSURE
    if p_value <= level and seen > guardrail.margin:
        word = "harm"
    elif upper < guardrail.margin:
        word = "safe"
    return Finding(
        guardrail.name,
        word,
        guardrail.margin,
        control=_mean([pair.control for pair in pairs]),
        candidate=_mean([pair.candidate for pair in pairs]),
        harm=harm if known else None,
        harm_upper=upper if isfinite(upper) else None,
        p_value=p_value,
        units=units,
    )


def log_e_value(pairs: Sequence[Pair], draw: Literal["unit", "request"]) -> float:
    """The natural logarithm of the e-value that bad events fall to the candidate as requests do."""
    of_epochs = [_log_e(pair, draw) for pair in pairs]
    rest = 1.0 - _FROM_THE_START
    terms, later = [], 0.0
    for j in range(len(of_epochs), 0, -1):
        later += of_epochs[j - 1]
        weight = _FROM_THE_START if j == 1 else rest / ((j - 1) * j)
        terms.append(log(weight) + later)
    # Of starts that have not come yet the e-value is 1.
    terms.append(log(rest / len(of_epochs)))
    return float(logsumexp(terms))


def _log_e(pair: Pair, draw: Literal["unit", "request"]) -> float:
    effect = 1.0
    if draw == "unit":
        effect = max(design_effect(pair.control), design_effect(pair.candidate))
    counts = (pair.control.total / effect, pair.candidate.total / effect)
    return log_bayes_factor_above(counts, pair.shares, CONCENTRATION) if sum(counts) else 0.0


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


def _harm(pair: Pair, guardrail: Guardrail) -> tuple[float, float]:
    """By how much the candidate was worse in one epoch, and that difference's variance."""
    harm = -guardrail.sign * (pair.candidate.mean.value - pair.control.mean.value)
    variances = [_variance(each, share=guardrail.share) for each in (pair.control, pair.candidate)]
    return harm, sum(variances)


def _variance(metric: ObservedMetric, *, share: bool) -> float:
    """The clustered variance; of a share no less than with one event more, and one non-event more."""
    if not share:
        return metric.mean.variance
    rate = (metric.total + 1.0) / (metric.count + 2.0)
    return max(metric.mean.variance, rate * (1.0 - rate) / metric.count)


def _standard_error(
    shares: Sequence[float], variances: Sequence[float], draw: Literal["unit", "request"]
) -> float:
    """Of the weighted mean of the epochs' differences.

    A unit keeps its variant as the steps go up, so that the epochs' differences are correlated, and not by
    more than if every unit always did the same: then the covariance is the smaller of the two variances.
    """
    w, v = np.asarray(shares), np.asarray(variances)
    if draw == "request":
        return sqrt(float(np.sum(w * w * v)))
    return sqrt(float(w @ np.minimum.outer(v, v) @ w)) if len(w) else 0.0


def _mean(metrics: Sequence[ObservedMetric]) -> float | None:
    """What was seen over all epochs, to be shown only: a comparison is never made of it."""
    count = sum(each.count for each in metrics)
    return sum(each.total for each in metrics) / count if count else None
