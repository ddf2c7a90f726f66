"""What may be said of a canary in the configuration?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import isfinite
from re import fullmatch
from typing import Final, Literal

from policies.steering import Webhook

PROMOTION: Final = "promotion"


def _check_margin(name: str, margin: float) -> None:
    if not (isfinite(margin) and margin > 0):
        raise ValueError(f"{name} is {margin:g}; allowed: a margin above 0")


@dataclass(frozen=True, slots=True)
class Step:
    """``weight`` percent for the candidate: at least so long, and until it has had so many units."""

    weight: float
    min_duration: timedelta = timedelta(minutes=1)
    min_units: int = 100

    def __post_init__(self) -> None:
        if not 0 < self.weight < 100:
            raise ValueError(
                f"weight is {self.weight:g}; allowed: above 0 and below 100, in percent: all of the traffic "
                "follows the last step by itself"
            )
        if self.min_duration < timedelta(0):
            raise ValueError("min_duration is negative")
        if self.min_units < 0:
            raise ValueError(f"min_units is {self.min_units}; allowed: 0 or more")


@dataclass(frozen=True, slots=True)
class LatencyGuardrail:
    """The share of requests that take longer than ``limit`` may grow by ``margin`` (0.01: a point)."""

    limit: timedelta
    margin: float

    def __post_init__(self) -> None:
        if not self.limit > timedelta(0):
            raise ValueError("limit is not above 0")
        _check_margin("margin", self.margin)


@dataclass(frozen=True, slots=True)
class Guardrails:
    """How much worse than the control the candidate may be; each margin is the harm that is tolerated.

    ``errors`` is of the share of answers of 500 and above, and of those that the fallback served; None does
    not watch it. ``metrics`` has a margin for each metric to watch, in the metric's unit; without it those
    that are guardrails, with their own margins.
    """

    errors: float | None = 0.01
    latency: tuple[LatencyGuardrail, ...] = ()
    metrics: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if self.errors is not None:
            _check_margin("errors", self.errors)
        for name, margin in (self.metrics or {}).items():
            _check_margin(f"metrics.{name}", margin)


@dataclass(frozen=True, slots=True)
class CanaryParameters:
    """``steps`` on the way to all of the traffic; every ``interval`` it is asked whether the candidate harms.

    ``alpha`` is how often a candidate that is not worse is rolled back, over the whole rollout and however
    often it is looked at; and at each step how often one that is worse by more than a margin is let pass.
    ``baseline`` names the slice of the control's traffic, as large as the candidate's, that differences and
    metrics are to; null takes the whole control. Errors and slow requests are tested for harm against all of
    the control's traffic either way: its backend serves both. ``draw``: by ``request`` a unit may see both in
    turn. ``deadline`` is for the whole rollout, ``silence`` a time without a request to the candidate; each
    has its rule. ``confirm`` lists the steps, from 1, that wait for an operator before they begin, and
    "promotion". ``tuning_units`` is for how many units, of both, the intervals are narrowest.
    """

    steps: tuple[Step, ...] = (Step(5), Step(25), Step(50))
    interval: timedelta = timedelta(seconds=5)
    alpha: float = 0.01
    guardrails: Guardrails = Guardrails()
    baseline: str | None = "baseline"
    draw: Literal["unit", "request"] = "unit"
    deadline: timedelta | None = None
    on_deadline: Literal["hold", "rollback", "promote"] = "hold"
    silence: timedelta | None = None
    on_silence: Literal["hold", "rollback"] = "hold"
    confirm: tuple[object, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    tuning_units: int = 5000

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("steps is empty; allowed: at least one")
        for before, after in pairwise(self.steps):
            if after.weight <= before.weight:
                raise ValueError(
                    f"a step of {after.weight:g} % follows one of {before.weight:g} %; allowed: more"
                )
        if self.interval < timedelta(seconds=0.5):
            raise ValueError("interval is too short; allowed: 500ms or more")
        if not 0 < self.alpha < 0.5:
            raise ValueError(f"alpha is {self.alpha:g}; allowed: above 0 and below 0.5")
        if self.baseline is not None and not fullmatch(r"[A-Za-z0-9_-]{1,24}", self.baseline):
            raise ValueError(f"baseline is {self.baseline!r}; allowed: 1 to 24 of A-Za-z0-9_-, or null")
        for name in ("deadline", "silence"):
            span = getattr(self, name)
            if span is not None and not span > timedelta(0):
                raise ValueError(f"{name} is not above 0")
        gates = [*range(1, len(self.steps) + 1), PROMOTION]
        for gate in self.confirm:
            if gate not in gates or isinstance(gate, bool):
                raise ValueError(f"confirm has {gate!r}; allowed: {', '.join(map(str, gates))}")
        if self.tuning_units < 1:
            raise ValueError(f"tuning_units is {self.tuning_units}; allowed: 1 or more")
