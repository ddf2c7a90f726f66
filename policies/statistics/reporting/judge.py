"""What follows from the intervals: better, worse, no difference that matters, or not enough data?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, isfinite, sqrt

from policies.metric import MetricSpec
from policies.statistics.kernel import oriented
from policies.statistics.multiplicity.adjusted import adjust
from policies.statistics.multiplicity.levels import interval_alphas
from policies.statistics.reporting.compare import widths
from policies.statistics.reporting.days import FARTHEST, days_until_decision
from policies.statistics.reporting.result import Decision, Effect, Interval
from policies.statistics.reporting.settings import AnalysisSettings
from policies.statistics.result import NotEstimable


@dataclass(frozen=True, slots=True)
class Candidate:
    """An estimated effect that waits for its adjusted interval; ``draw`` makes that at any alpha.

    ``held`` is why no decision may be taken whatever the interval says, None when one may. ``per_day`` is
    how many units come in, of both variants.
    """

    spec: MetricSpec
    effect: Effect
    draw: Callable[[float], Interval]
    held: str | None
    per_day: float | NotEstimable


def judged(candidates: Sequence[Candidate], settings: AnalysisSettings) -> list[Effect]:
    """All effects of one family, adjusted together and decided.

    Raises ValueError for an unknown adjustment. Source: as ``adjust`` has it.

    >>> interval = Interval(0.1, 0.3, 0.95, 0.001)
    >>> effect = Effect("m", "b", "declared", "not enough data", None, 1000.0, None, always_valid=interval)
    >>> waiting = Candidate(MetricSpec("m", "mean"), effect, lambda alpha: interval, None, 100.0)
    >>> judged([waiting], AnalysisSettings())[0].decision
    'better'
    """
    intervals = [candidate.effect.always_valid for candidate in candidates]
    p_values = [1.0 if each is None or each.p_value is None else each.p_value for each in intervals]
    adjusted = adjust(p_values, settings.multiplicity)
    alphas = interval_alphas(p_values, settings.alpha, settings.multiplicity)
    return [_decided(*each, settings) for each in zip(candidates, adjusted, alphas, strict=True)]


def _decided(candidate: Candidate, p_value: float, alpha: float, settings: AnalysisSettings) -> Effect:
    spec, effect, drawn = candidate.spec, candidate.effect, candidate.draw(alpha)
    decision, reason = decide(spec, drawn, effect.maturity_slack, candidate.held)
    needed: int | None = None
    days: float | NotEstimable = 0.0
    if candidate.held is not None:
        days = NotEstimable("days left", candidate.held)
    elif decision == "not enough data":
        needed = units_needed(effect, drawn, spec.margin, alpha, settings)
        days = days_until_decision(effect, spec.margin, candidate.per_day, alpha, settings)
    return replace(
        effect,
        adjusted=Interval(drawn.low, drawn.high, drawn.level, p_value),
        decision=decision,
        reason=reason,
        units_needed=needed,
        days_left=None if isinstance(days, NotEstimable) else days,
        days_left_reason=days.reason if isinstance(days, NotEstimable) else None,
    )


def decide(
    spec: MetricSpec, interval: Interval, slack: float = 0.0, held: str | None = None
) -> tuple[Decision, str | None]:
    """The decision and, when there is not enough data for one, why.

    An interval within the margin is no difference, even if it leaves out zero: the margin says what matters.
    ``slack`` is how far traffic that is not mature yet could still move the difference, to either side.

    >>> decide(MetricSpec("clicks", "binary"), Interval(0.01, 0.02, 0.95, 0.001))
    ('better', None)
    >>> decide(MetricSpec("errors", "binary", "decrease"), Interval(0.01, 0.02, 0.95, 0.001))
    ('worse', None)
    """
    if held is not None:
        return "not enough data", held
    low, high = sorted((oriented(spec.sign, interval.low), oriented(spec.sign, interval.high)))
    low, high = low - slack, high + slack
    if spec.margin is not None and -spec.margin < low and high < spec.margin:
        return "no difference larger than the margin", None
    if low > 0.0:
        return "better", None
    if high < 0.0:
        return "worse", None
    if slack > 0.0 and (interval.low > 0.0 or interval.high < 0.0):
        return "not enough data", "traffic that is not mature yet could explain the difference"
    return "not enough data", "the interval holds both zero and differences that matter"


def units_needed(
    effect: Effect, interval: Interval, margin: float | None, alpha: float, settings: AnalysisSettings
) -> int | None:
    """Further units, of both variants, until a decision if the difference stays what it is.

    The interval must leave out zero, or fit into the margin, whichever comes first; its half-width falls with
    ``quantile(n) / sqrt(n)``. None when that is never, or beyond 10**12 units. Raises nothing. Source:
    Waudby-Smith et al. (2024) for the widths.

    >>> effect = Effect("m", "b", "declared", "not enough data", None, 1000.0, None, difference=0.1)
    >>> units_needed(effect, Interval(-0.1, 0.3, 0.95, 0.5), None, 0.05, AnalysisSettings())
    1797
    """
    half = (interval.high - interval.low) / 2.0
    distance = abs(effect.difference or 0.0)
    target = distance if margin is None else max(distance, margin - distance)
    if target <= 0.0 or not isfinite(half) or effect.units <= 0.0:
        return None
    shrunk = widths(settings, alpha)
    target *= shrunk(effect.units) / half if half > 0.0 else inf
    if shrunk(FARTHEST) > target:
        return None
    low, high = effect.units, FARTHEST
    while high / low > 1.001:
        middle = sqrt(low * high)
        low, high = (middle, high) if shrunk(middle) > target else (low, middle)
    return max(ceil(high - effect.units), 1)
