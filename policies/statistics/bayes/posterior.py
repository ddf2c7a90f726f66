"""What does a Bayesian comparison of several variants report?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Posterior:
    """For each of K variants, in the order given: its posterior, its chance to be best, its expected loss.

    ``mean``, ``deviation``, ``low`` and ``high`` (equal-tailed credible interval at ``level``) are in the
    metric's unit; ``probability_best`` sums to 1; ``expected_loss`` is what choosing that variant is expected
    to miss against the best one, in the metric's unit and at least 0. Where less is better, best means least.

    A posterior does not know how often it was looked at: stopping on it does not hold an error rate.
    """

    method: str
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    level: float
    probability_best: tuple[float, ...]
    expected_loss: tuple[float, ...]
    assumptions: tuple[str, ...] = ()
