"""Does the candidate harm, is it safe, or is there too little data to say?

Each guardrail is tested by evidence that may be looked at at any time, and never pools two epochs: every step
is one of its own. With G guardrails each has the level alpha / G (Holm's first step).

*Harm*: of the errors, and of the requests over a latency limit, the candidate has more than its share, as
compared with all of the control's traffic (`policies.canary.event_split`); of a metric, a one-sided
confidence sequence of the difference to the control's slice excludes that it is none. Beyond the test, the
harm that is seen must be larger than the margin, and there must have been some requests.

*Safe*: for every guardrail the one-sided confidence sequence of the harm, as compared with the control's
slice, ends below its margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, sqrt
from typing import Literal

import numpy as np

from policies.canary.event_split import log_e_value
from policies.canary.findings import UNSURE, Finding, Verdict, Word
from policies.canary.pairs import Guardrail, Pair, Setting, pairs_of
from policies.statistics.always_valid import asymptotic
from policies.statistics.observed import ObservedEpoch, ObservedMetric


def judge(epochs: Sequence[ObservedEpoch], guardrails: Sequence[Guardrail], setting: Setting) -> Verdict:
    """The verdict on a rollout from its epochs; ``not enough data`` where there is no guardrail."""
    level = setting.alpha / max(len(guardrails), 1)
    findings = tuple(_finding(epochs, each, setting, level) for each in guardrails)
    words = {each.verdict for each in findings}
    word: Word = "harm" if "harm" in words else "safe" if words == {"safe"} else UNSURE
    return Verdict(word, findings)


def _finding(
    epochs: Sequence[ObservedEpoch], guardrail: Guardrail, setting: Setting, level: float
) -> Finding:
    pairs = pairs_of(epochs, guardrail, (setting.control,), setting)
    tested = pairs_of(epochs, guardrail, setting.tested, setting) if guardrail.events else pairs
    if not tested:
        return Finding(guardrail.name, UNSURE, guardrail.margin)
    to_slice = _difference(pairs, guardrail, setting.draw)
    seen = _difference(tested, guardrail, setting.draw).largest
    units, error = to_slice.units, to_slice.error

    enough = to_slice.known and units >= asymptotic.MINIMUM and error > 0.0
    upper = inf
    if enough:
        upper = to_slice.harm + asymptotic.half_width(
            error, units, setting.alpha, setting.tuning_units, sides=1
        )
    p_value, requests_enough = 1.0, True
    if guardrail.events:
        p_value = exp(min(0.0, -log_e_value(tested, setting.draw, setting.method)))
        requests = sum(pair.control.count + pair.candidate.count for pair in tested)
        requests_enough = requests >= setting.method.least_requests
    elif enough:
        p_value = asymptotic.p_value(to_slice.harm / error, units, level, setting.tuning_units, sides=1)

    word: Word = UNSURE
    if p_value <= level and seen > guardrail.margin and requests_enough:
        word = "harm"
    elif upper < guardrail.margin:
        word = "safe"
    whole = guardrail.events and setting.method.whole_control
    return Finding(
        guardrail.name,
        word,
        guardrail.margin,
        control=_mean([pair.control for pair in pairs]),
        candidate=_mean([pair.candidate for pair in tested]),
        harm=to_slice.harm if to_slice.known else None,
        harm_upper=upper if isfinite(upper) else None,
        p_value=p_value,
        units=units,
        whole_control=_mean([pair.control for pair in tested]) if whole else None,
    )


@dataclass(frozen=True, slots=True)
class _Difference:
    """The weighted mean of the epochs' harms, its standard error, the units behind it, and the largest of
    that mean and the last epoch's own harm; -inf where nothing is ``known``.
    """

    known: bool
    harm: float
    error: float
    units: float
    largest: float


def _difference(pairs: Sequence[Pair], guardrail: Guardrail, draw: Literal["unit", "request"]) -> _Difference:
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
    error = _standard_error(shares, [variance for _, _, variance in known], draw)
    units = sum(pair.units for pair, _, _ in known)
    # The last epoch's own harm, too: a candidate that turned bad is not excused by what it was.
    largest = max(harm, each[-1][0] if isfinite(each[-1][0]) else -inf) if known else -inf
    return _Difference(bool(known), harm, error, units, largest)


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
