"""How many days are left until one effect is decided, at the traffic so far?"""

from __future__ import annotations

from math import sqrt
from typing import Final

from policies.statistics.planning.effect_size import days_left
from policies.statistics.reporting.compare import design
from policies.statistics.reporting.result import Effect
from policies.statistics.reporting.settings import AnalysisSettings
from policies.statistics.result import NotEstimable

FARTHEST: Final = 1e12  # units; a decision further away than this is none

_METHOD: Final = "days left"


def days_until_decision(
    effect: Effect,
    margin: float | None,
    per_day: float | NotEstimable,
    alpha: float,
    settings: AnalysisSettings,
) -> float | NotEstimable:
    """Days until a difference as large as the margin, or else as the present one, is called.

    By an always-valid look at level ``alpha``, with a power of 80 %, as the standard error falls from what
    it is. Args: an effect that is not decided; margin, in the metric's unit; per_day, new units of both
    variants. ``NotEstimable`` with the reason when it cannot be told. Raises ValueError unless alpha is in
    (0, 1).

    >>> from policies.statistics.report import report
    >>> from policies.statistics.sample import CLICKS, evidence
    >>> settings = AnalysisSettings(n_star=300, minimum_units=50)
    >>> effect = report(evidence(), [CLICKS], settings, now=7200.0).effects[0]
    >>> round(days_until_decision(effect, None, 6144.0, 0.05, settings), 4)
    0.2477
    """
    if isinstance(per_day, NotEstimable):
        return per_day
    if effect.standard_error is None or effect.difference is None:
        return NotEstimable(_METHOD, "quantiles have no standard error to plan by")
    target = abs(effect.difference) if margin is None else margin
    # In units it takes at least (error / target)**2 n, whatever the design: no need to solve for more.
    if target * sqrt(FARTHEST) <= effect.standard_error * sqrt(effect.units):
        return NotEstimable(_METHOD, "out of reach: the difference is too small")
    plan = days_left(target, effect.standard_error, effect.units, per_day, design=design(settings, alpha))
    if isinstance(plan, NotEstimable):
        return plan
    if plan.units_left == 0.0:
        return NotEstimable(_METHOD, "there are as many units as planned for, and no decision")
    return plan.days_left
