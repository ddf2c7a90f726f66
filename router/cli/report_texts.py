"""How are the numbers of a report written?"""

from __future__ import annotations

from router.cli.report_view import Effect, Interval, MetricMean


def number(value: float | None, *, signed: bool = False, digits: int = 4) -> str:
    """The digits that mean something."""
    if value is None:
        return "none"
    return f"{value:+.{digits}g}" if signed else f"{value:.{digits}g}"


def p_text(p_value: float) -> str:
    """A p-value, without digits that mean nothing."""
    return "p < 0.0001" if p_value < 0.0001 else f"p {p_value:.4f}"


def interval_text(interval: Interval) -> str:
    """Both ends."""
    low = "unbounded" if interval.low is None else number(interval.low, signed=True, digits=3)
    high = "unbounded" if interval.high is None else number(interval.high, signed=True, digits=3)
    return f"{low} to {high}"


def lift_text(effect: Effect) -> str:
    """The relative difference with its interval, in percent."""
    lift = effect.lift
    if lift is None:
        return ""
    if lift.low is None or lift.high is None:
        return f"{lift.estimate:+.1%} (unbounded)"
    return f"{lift.estimate:+.1%} ({lift.low:+.1%} to {lift.high:+.1%})"


def mean_text(mean: MetricMean | None) -> str:
    """Mean and standard error."""
    if mean is None or mean.mean is None:
        return "none"
    if mean.standard_error is None:
        return number(mean.mean)
    return f"{number(mean.mean)} ± {mean.standard_error:.2g}"
