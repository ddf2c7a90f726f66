"""Which parts of a report does the command line read, and of which types are they?

The names and meanings are those of ``policies/statistics/report_schema.json``. Bounds that are null are
unbounded; other nulls are what could not be had.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Status = Literal["ok", "warning", "alarm"]


class Settings(Struct, frozen=True):
    """How the analysis was done."""

    alpha: float
    planned_units: int | None


class Check(Struct, frozen=True):
    """A health check."""

    name: str
    status: Status
    message: str
    p_value: float | None


class Interval(Struct, frozen=True):
    """A range at a level."""

    low: float | None
    high: float | None
    level: float
    p_value: float | None


class Lift(Struct, frozen=True):
    """The relative difference, 0.1 for +10 %."""

    estimate: float
    low: float | None
    high: float | None


class MetricMean(Struct, frozen=True):
    """A variant's own mean or quantile."""

    metric: str
    count: float
    mean: float | None
    standard_error: float | None


class Capped(Struct, frozen=True):
    """How many values of a metric counted as its cap."""

    metric: str
    count: int


class Variant(Struct, frozen=True):
    """A variant's traffic and means; an older control plane does not say what fell back or was capped."""

    name: str
    control: bool
    weight: float
    units: float
    requests: int
    immature_share: float
    metrics: tuple[MetricMean, ...]
    fallback_share: float | None = None
    capped: tuple[Capped, ...] = ()


class Effect(Struct, frozen=True):
    """One metric of one variant against the control."""

    metric: str
    variant: str
    family: str
    decision: str
    reason: str | None
    units_needed: int | None
    difference: float | None
    shown: Literal["always_valid", "fixed"]
    always_valid: Interval | None
    fixed: Interval | None
    lift: Lift | None

    @property
    def interval(self) -> Interval | None:
        """The one to read."""
        return self.fixed if self.shown == "fixed" else self.always_valid


class BatchedDifference(Struct, frozen=True):
    """A difference by batched OLS, or why there is none."""

    epochs: int
    difference: float | None
    interval: Interval | None
    reason: str | None


class Contrast(Struct, frozen=True):
    """An arm of a bandit against the control: for one look, and for one after every epoch."""

    variant: str
    fixed: BatchedDifference
    always_valid: BatchedDifference


class Regret(Struct, frozen=True):
    """What was lost so far, in the metric's unit."""

    estimate: float
    standard_error: float


class Bandit(Struct, frozen=True):
    """What a bandit found at its last plan."""

    metric: str
    planned: float
    contrasts: tuple[Contrast, ...]
    regret: Regret | None
    regret_reason: str | None


class Report(Struct, frozen=True):
    """A report, as far as the tables show it; an older control plane says nothing of bandits."""

    experiment: str
    control: str
    computed_at: float
    settings: Settings
    health: Status
    checks: tuple[Check, ...]
    immature_share: float
    variants: tuple[Variant, ...]
    effects: tuple[Effect, ...]
    bandit: Bandit | None = None
