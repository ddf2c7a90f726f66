"""What may stand beside a bandit's kind in the configuration?

Stdlib only: the data plane reads these when it reads a configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from typing import Final, Literal

ERRORS: Final = "errors"
_ERRORS_MARGIN: Final = 0.01

Baseline = Literal["drifting", "stable"]
Stop = Literal["hold", "commit"]


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A quantity in which an arm may be worse than the control by at most ``margin``, in its own unit.

    ``metric`` is one of the experiment's, or ``errors``: the share of answers of 500 and above, and of
    those that the fallback served. Without a margin the metric's own is meant; that of errors is then 0.01.
    """

    metric: str
    margin: float | None = None

    def __post_init__(self) -> None:
        if self.metric == ERRORS and self.margin is None:
            object.__setattr__(self, "margin", _ERRORS_MARGIN)
        if self.margin is not None and not (isfinite(self.margin) and self.margin > 0):
            raise ValueError(f"margin is {self.margin!r}; allowed: a number above 0")


@dataclass(frozen=True, slots=True)
class BanditParameters:
    """``metric``: the reward; the experiment's first where none is named. ``every``: the least time from one
    change of weights to the next; it grows with the bandit's age, to a two-hundredth of it, so that weeks
    make no more epochs than can be kept. ``step``: the least change of weights (total variation: the share of
    the traffic that moves) that opens an epoch. ``floor``: the share of the traffic that explores whatever is
    known, *all arms together*. ``min_units``: units of each arm before the first move; while there are
    guardrails, never before each of them can judge, which takes 50. ``draw``: whether a unit keeps
    its arm as long as the weights allow, or every request draws anew.

    A large step lets an epoch end just when its evidence is extreme; then intervals cover less than they say
    (0.01 made 92 % of 95 %, see ``bench.bandits``).

    ``baseline``: ``drifting`` compares arms within epochs only, so that an hour in which all arms do well
    favours none; ``stable`` pools an arm's outcomes over all epochs, which is right only where nothing
    drifts. ``discount``: the half-life of evidence, for a world in which the best arm changes.

    ``guardrails``: what takes an arm out, once it is shown to be worse than the control by more than the
    margin; where none are given, errors and the metrics that are guardrails. ``confidence``: with which a
    winner is named.
    """

    metric: str | None = None
    every: timedelta = timedelta(seconds=60)
    floor: float = 0.05
    min_units: int = 100
    draw: Literal["unit", "request"] = "unit"
    baseline: Baseline = "drifting"
    discount: timedelta | None = None
    guardrails: tuple[Guardrail, ...] | None = None
    step: float = 0.001
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.every < timedelta(seconds=1):
            raise ValueError(f"every is {self.every.total_seconds():g} s; allowed: 1s or more")
        if not 0 <= self.floor <= 1:
            raise ValueError(f"floor is {self.floor!r}; allowed: 0 to 1, all arms together")
        if self.min_units < 0:
            raise ValueError(f"min_units is {self.min_units!r}; allowed: 0 or more")
        if self.discount is not None and not self.discount > timedelta(0):
            raise ValueError("discount is not above 0")
        if not 0 <= self.step < 1:
            raise ValueError(f"step is {self.step!r}; allowed: 0 up to 1, without 1")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence is {self.confidence!r}; allowed: between 0 and 1, without either")


@dataclass(frozen=True, slots=True)
class StoppingParameters(BanditParameters):
    """Beside what every bandit takes: ``stop``, what follows when the winner is found. ``commit`` gives it
    all traffic but the floor; ``hold`` keeps the weights of that moment.
    """

    stop: Stop = "commit"


@dataclass(frozen=True, slots=True)
class GreedyParameters(BanditParameters):
    """Beside what every bandit takes: ``epsilon``, the share of the traffic that is split evenly over the
    arms. A larger ``floor`` takes its place.
    """

    epsilon: float = 0.1

    def __post_init__(self) -> None:
        BanditParameters.__post_init__(self)
        if not 0 <= self.epsilon <= 1:
            raise ValueError(f"epsilon is {self.epsilon!r}; allowed: 0 to 1")
