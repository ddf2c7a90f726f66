"""What do the statistics say, as gauges?

Computed on a schedule and in a thread, never in a scrape: a scrape shows what was computed last, and when.
What cannot be estimated is absent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from redis.asyncio import Redis

from router.errors import StoreUnavailable
from router.events import event
from router.settings import Experiment
from router.store import states

COMPUTE_SECONDS = 10.0
# At most this part of the time is spent on computing, however many experiments there are.
_LARGEST_SHARE = 0.2

log = logging.getLogger("turnout.control")


class ReportBook:
    """The last report of each experiment and shadow, as JSON's types, and how long computing all took."""

    def __init__(self) -> None:
        self.reports: Mapping[str, Mapping[str, Any]] = {}
        self.shadows: Mapping[str, Mapping[str, Any]] = {}
        self.seconds: float | None = None


_Faults = dict[tuple[str, str], str]
"""What went wrong with one experiment or shadow, by what it is and its name."""


async def keep_computing(redis: Redis, book: ReportBook, clock: Callable[[], float]) -> None:
    """Compute every report again and again, until cancelled; ``clock`` gives unix seconds.

    One that cannot be computed is absent and said once, until it is another fault, and the others go on.
    """
    said: _Faults = {}
    while True:
        began = monotonic()
        faults: _Faults = {}
        try:
            book.reports = await _compute(redis, clock, faults)
            book.shadows = await _compute_shadows(redis, clock, faults)
        except StoreUnavailable:
            faults |= said  # the watch says so; what was computed last still stands, with its time
        except Exception as error:  # dashboards go without rather than operators without a control plane
            faults["", ""] = repr(error)
        else:
            book.seconds = monotonic() - began
        for (kind, name), text in faults.items():
            if said.get((kind, name)) != text:
                event(log, "statistics_failed", logging.ERROR, **({kind: name} if kind else {}), detail=text)
        said = faults
        await asyncio.sleep(max(COMPUTE_SECONDS, (monotonic() - began) / _LARGEST_SHARE))


async def _compute(redis: Redis, clock: Callable[[], float], faults: _Faults) -> dict[str, dict[str, Any]]:
    # Brings numpy and scipy, which takes a second of the loop's time anywhere but in a thread.
    reports = await asyncio.to_thread(_statistics)
    state = await states.read(redis)
    found: dict[str, dict[str, Any]] = {}
    if state is None:
        return {}
    for name in state.epochs:
        experiment = state.settings.experiments.get(name)
        if experiment is None:
            continue
        now = clock()
        try:
            evidence = await reports.read_evidence(redis, name, experiment, now)
            found[name] = await asyncio.to_thread(_analyse, reports, evidence, experiment, now)
        except StoreUnavailable:
            raise
        except Exception as error:
            faults["experiment", name] = repr(error)
    return found


async def _compute_shadows(
    redis: Redis, clock: Callable[[], float], faults: _Faults
) -> dict[str, dict[str, Any]]:
    state = await states.read(redis)
    if state is None or not state.settings.shadows:
        return {}
    from router.control.shadow_reports import report_of

    found: dict[str, dict[str, Any]] = {}
    for name in state.settings.shadows:
        try:
            found[name] = await report_of(redis, state.settings, name, clock())
        except StoreUnavailable:
            raise
        except Exception as error:
            faults["shadow", name] = repr(error)
    return found


def _analyse(reports: Any, evidence: Any, experiment: Experiment, now: float) -> dict[str, Any]:
    metrics, settings = reports.analysis_of(experiment)
    document: dict[str, Any] = reports.to_json(reports.report(evidence, metrics, settings, now))
    return document


def _statistics() -> Any:
    from router.control import reports

    return reports


# Of an effect: what is shown, by the path to it.
_EFFECTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "effect": ("Difference to the control, in the metric's unit.", ("difference",)),
    "effect_lower": ("Lower end of the always-valid interval.", ("always_valid", "low")),
    "effect_upper": ("Upper end of the always-valid interval.", ("always_valid", "high")),
    "effect_p_value": ("Always-valid p-value against no difference.", ("always_valid", "p_value")),
    "effect_lift_ratio": ("Relative difference to the control.", ("lift", "estimate")),
    "effect_units_needed": ("Further units until a decision, should the effect stay.", ("units_needed",)),
    "effect_best_ratio": ("Probability that the variant is the best.", ("probability_best",)),
}
_DAY = 86_400.0
_SAMPLE_RATIO = {"sample_ratio_sequential": "sequential", "sample_ratio": "fixed"}
_DECISIONS = {"better": 1.0, "worse": -1.0, "no difference larger than the margin": 0.0}


def report_families(book: ReportBook) -> Iterator[Metric]:
    """The families of all reports."""
    reports = book.reports
    labels = ["experiment", "metric", "variant"]
    for name, (text, path) in _EFFECTS.items():
        family = GaugeMetricFamily(f"turnout_{name}", text, labels=labels)
        for experiment, report in reports.items():
            for effect in report["effects"]:
                number = _at(effect, path)
                if number is not None:
                    family.add_metric([experiment, effect["metric"], effect["variant"]], number)
        yield family
    text = "1 better, -1 worse, 0 no difference larger than the margin; absent while undecided."
    decided = GaugeMetricFamily("turnout_effect_decision", text, labels=labels)
    text = "Time until a decision, should effect and traffic stay."
    left = GaugeMetricFamily("turnout_effect_left_seconds", text, labels=labels)
    means = GaugeMetricFamily("turnout_metric_mean", "A variant's own mean.", labels=labels)
    units = GaugeMetricFamily("turnout_variant_units", "Units that were seen.", labels=labels[::2])
    checks = GaugeMetricFamily(
        "turnout_check_status",
        "Health checks: 0 ok, 1 warning, 2 alarm.",
        labels=["experiment", "check"],
    )
    p_values = GaugeMetricFamily(
        "turnout_check_p_value",
        "P-values of the health checks that have one.",
        labels=["experiment", "check"],
    )
    text = "P-value of the sample ratio check, for many looks (sequential) or for one (fixed)."
    srm = GaugeMetricFamily("turnout_srm_p_value", text, labels=["experiment", "test"])
    computed = GaugeMetricFamily(
        "turnout_report_timestamp_seconds",
        "When the statistics were computed, in unix seconds.",
        labels=labels[:1],
    )
    for experiment, report in reports.items():
        for effect in report["effects"]:
            where = [experiment, effect["metric"], effect["variant"]]
            if effect["days_left"] is not None:
                left.add_metric(where, effect["days_left"] * _DAY)
            if effect["decision"] in _DECISIONS:
                decided.add_metric(where, _DECISIONS[effect["decision"]])
        for variant in report["variants"]:
            units.add_metric([experiment, variant["name"]], variant["units"])
            for metric in variant["metrics"]:
                if metric["mean"] is not None:
                    means.add_metric([experiment, metric["metric"], variant["name"]], metric["mean"])
        for check in report["checks"]:
            checks.add_metric([experiment, check["name"]], ("ok", "warning", "alarm").index(check["status"]))
            if check["p_value"] is not None:
                p_values.add_metric([experiment, check["name"]], check["p_value"])
                if check["name"] in _SAMPLE_RATIO:
                    srm.add_metric([experiment, _SAMPLE_RATIO[check["name"]]], check["p_value"])
        computed.add_metric([experiment], report["computed_at"])
    yield from (decided, left, means, units, checks, p_values, srm, computed)
    if book.seconds is not None:
        text = "How long computing all statistics took the last time."
        yield GaugeMetricFamily("turnout_report_duration_seconds", text, value=book.seconds)


def _at(effect: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    value: Any = effect
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return None if value is None else float(value)
