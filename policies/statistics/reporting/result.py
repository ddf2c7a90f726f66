"""What does a report say?

Differences are variant minus control in the metric's own unit; ``decision`` has the metric's goal in it.
NaN never appears: what cannot be had is None, with the reason beside it. Infinite bounds are unbounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from policies.statistics.reporting.settings import AnalysisSettings

Decision = Literal["better", "worse", "no difference larger than the margin", "not enough data"]
Shown = Literal["always_valid", "fixed"]
Status = Literal["ok", "warning", "alarm"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A range at a level, with the p-value (against zero) that agrees with it."""

    low: float
    high: float
    level: float
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Lift:
    """The relative difference (0.1 is +10 %), always valid, by Fieller; ``shape`` as ``Fieller`` has it."""

    estimate: float
    low: float
    high: float
    shape: str


@dataclass(frozen=True, slots=True)
class EpochEffect:
    """The difference within one epoch, with its always-valid interval; None where it has too few units."""

    epoch: int
    difference: float
    standard_error: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class EpochEffects:
    """One variant's effects in all epochs, by column: there are thousands, mostly never looked at."""

    epoch: tuple[int, ...] = ()
    difference: tuple[float, ...] = ()
    standard_error: tuple[float, ...] = ()
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()

    def __len__(self) -> int:
        return len(self.epoch)

    def __iter__(self) -> Iterator[EpochEffect]:
        columns = self.epoch, self.difference, self.standard_error, self.low, self.high
        return map(EpochEffect, *columns)


@dataclass(frozen=True, slots=True)
class Effect:
    """One metric of one variant against the control, over all epochs that have both.

    ``shown`` names the interval to read: ``always_valid``, or ``fixed`` at the planned size. ``adjusted`` is
    the always-valid one at the level that multiplicity leaves it; decisions rest on it. ``units_needed`` are
    further units of both variants until a decision, if the difference stays as it is. ``heterogeneity_p``
    asks whether the epochs disagree. ``maturity_slack`` is how far immature traffic could move the
    difference. ``reason`` says why there is no estimate, or no decision.
    ``probability_best`` is the chance that the variant is the best of all, for declared metrics; it does not
    know how often it was looked at. ``days_left`` is until a decision at the traffic so far, with a power of
    80 %, so more than ``units_needed`` take; 0 once decided. Each has its own reason when it is None.
    """

    metric: str
    variant: str
    family: Literal["declared", "operational"]
    decision: Decision
    reason: str | None
    units: float
    units_needed: int | None
    control_mean: float | None = None
    variant_mean: float | None = None
    difference: float | None = None
    standard_error: float | None = None
    shown: Shown = "always_valid"
    always_valid: Interval | None = None
    adjusted: Interval | None = None
    fixed: Interval | None = None
    lift: Lift | None = None
    non_inferior: bool | None = None
    covariate: str | None = None
    variance_reduction: float | None = None
    heterogeneity_p: float | None = None
    maturity_slack: float = 0.0
    probability_best: float | None = None
    probability_best_reason: str | None = None
    days_left: float | None = None
    days_left_reason: str | None = None
    epochs: EpochEffects = EpochEffects()
    epochs_left_out: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricMean:
    """A variant's own mean (or quantile) of a metric, over the epochs it has data in, by their traffic.

    ``count`` is the outcomes or requests behind it. A quantile has bounds in place of a standard error.
    ``probability_best`` is as in the effects, and given for the control too: over variants it sums to 1.
    """

    metric: str
    count: float
    mean: float | None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    probability_best: float | None = None


@dataclass(frozen=True, slots=True)
class Capped:
    """How many of a variant's outcomes of one metric were above its cap, and counted as the cap."""

    metric: str
    count: int


@dataclass(frozen=True, slots=True)
class VariantReport:
    """One variant: its traffic over all epochs (a unit of two epochs counts twice) and its metrics.

    ``fallback_share`` is of the requests that another variant's backend served, among those of the epochs in
    which it was counted; None where it was in none. ``capped`` has the metrics with a cap.
    """

    name: str
    control: bool
    weight: float
    units: float
    requests: int
    immature_share: float
    metrics: tuple[MetricMean, ...]
    fallback_share: float | None = None
    capped: tuple[Capped, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A health check: what it looked at, what it found, in words and as a p-value when it has one."""

    name: str
    status: Status
    message: str
    p_value: float | None = None
    epochs: tuple[tuple[int, float | None], ...] = ()


@dataclass(frozen=True, slots=True)
class StatedPrior:
    """What a declared metric's posteriors assume of a variant's mean beforehand, as a normal distribution."""

    metric: str
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class BatchedDifference:
    """A difference by batched OLS over so many ``epochs``; without one, ``reason`` says why."""

    epochs: int
    difference: float | None = None
    interval: Interval | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Contrast:
    """An arm of a bandit against the control: ``fixed`` for one look, over all epochs that have both.

    ``always_valid`` is for a look after every epoch that was closed, over those.
    """

    variant: str
    fixed: BatchedDifference
    always_valid: BatchedDifference


@dataclass(frozen=True, slots=True)
class Regret:
    """What was lost so far against the arm that looks best now, in the metric's unit: an estimate."""

    estimate: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class BanditReport:
    """What a bandit found when it ``planned`` last, in unix seconds, of the metric that it moves traffic by.

    Batched OLS allows for weights that followed the outcomes, as the effects' intervals do not.
    ``regret_reason`` says why no regret can be estimated.
    """

    metric: str
    planned: float
    contrasts: tuple[Contrast, ...]
    regret: Regret | None = None
    regret_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything, health first. ``computed_at`` in unix seconds; metrics without a prior have a flat one.

    ``bandit`` is None where none gave the traffic its weights.
    """

    experiment: str
    control: str
    computed_at: float
    settings: AnalysisSettings
    priors: tuple[StatedPrior, ...]
    health: Status
    checks: tuple[Check, ...]
    immature_share: float
    variants: tuple[VariantReport, ...]
    effects: tuple[Effect, ...]
    bandit: BanditReport | None = None
