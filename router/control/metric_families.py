"""How does a name with its samples become one of Prometheus' families?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from router.worker_totals import Histogram

Labels = tuple[str, ...]
_Key = TypeVar("_Key", bound=Labels)


def build() -> Metric:
    """Which version this is."""
    try:
        found = version("turnout")
    except PackageNotFoundError:
        found = "unknown"
    return InfoMetricFamily("turnout_build", "The version of Turnout.", {"version": found})


def counter(name: str, text: str, labels: Sequence[str], samples: Mapping[_Key, float]) -> Metric:
    """What only goes up, by the labels' values; ``name`` is without the prefix and ``_total``."""
    family = CounterMetricFamily(f"turnout_{name}", text, labels=labels)
    for values, count in samples.items():
        family.add_metric(values, count)
    return family


def gauge(name: str, text: str, labels: Sequence[str], samples: Mapping[_Key, float]) -> Metric:
    """What is so at this moment, by the labels' values."""
    family = GaugeMetricFamily(f"turnout_{name}", text, labels=labels)
    for values, number in samples.items():
        family.add_metric(values, number)
    return family


def histogram(
    name: str,
    text: str,
    labels: Sequence[str],
    samples: Mapping[Labels, Histogram],
    bounds: Iterable[float],
) -> Metric:
    """Durations, by the labels' values; ``bounds`` are seconds, inclusive, without the last, infinite one."""
    family = HistogramMetricFamily(f"turnout_{name}_seconds", text, labels=labels)
    ends = [*(f"{bound:g}" for bound in bounds), "+Inf"]
    for values, histogram in samples.items():
        buckets = list(zip(ends, map(float, histogram.cumulative), strict=True))
        family.add_metric(values, buckets, histogram.seconds)
    return family
