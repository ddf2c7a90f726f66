"""What do the workers of a node show to Prometheus: all of them together, those that are gone included?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import add
from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from router.control.metric_families import Labels, build, counter, gauge, histogram
from router.control.metrics_of_shadows import count_families
from router.control.worker_files import read_workers
from router.worker_totals import (
    BACKEND_BOUNDS,
    OVERHEAD_BOUNDS,
    Histogram,
    PoolCounts,
    PoolGauges,
    Series,
    Totals,
    WorkerMetrics,
)


class WorkersCollector(Collector):
    """A node's workers, and nothing else."""

    def __init__(self, data_dir: Path, clock: Callable[[], float]) -> None:
        """``clock`` gives unix seconds."""
        self._data_dir = data_dir
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Every family, in one pass over the workers' files."""
        yield build()
        yield from worker_families(self._data_dir, self._clock())


def worker_families(data_dir: Path, now: float) -> Iterator[Metric]:
    """What the workers' files say; ``now`` is unix seconds."""
    living, totals = read_workers(data_dir)
    yield from _requests(totals)
    yield from _audiences(totals)
    yield from _pools(totals, living)
    yield from count_families(totals)
    yield from _workers(living, now)


# -- requests and outcomes --------------------------------------------------------------------------------


def _requests(totals: Totals) -> Iterator[Metric]:
    requests: dict[Labels, int] = {}
    assignments: dict[Labels, int] = {}
    overhead: dict[Labels, Histogram] = {}
    backends: dict[Labels, Histogram] = {}
    for series in totals.series:
        # What was forced is no part of an experiment's traffic: it is shown as a request like any other.
        forced = series.reason == "forced"
        part = ("", "") if forced else (series.experiment, series.variant)
        for status, count in series.statuses.items():
            labels = (series.route, *part, f"{status // 100}xx")
            requests[labels] = requests.get(labels, 0) + count
        for reason, count in _reasons(series):
            assigned = (series.experiment, series.variant, reason)
            assignments[assigned] = assignments.get(assigned, 0) + count
        _join(overhead, (series.route,), series.overhead)
        if series.backend:
            _join(backends, (series.backend, *part), series.backend_time)

    names = ["route", "experiment", "variant", "code_class"]
    yield counter("requests", "Requests that were answered, by status class.", names, requests)
    names = ["experiment", "variant", "reason"]
    yield counter("assignments", "Units assigned, once for each request and exposure.", names, assignments)
    yield histogram(
        "overhead",
        "What the router added to a request: until it was sent, and after the last of the answer came.",
        ["route"],
        overhead,
        OVERHEAD_BOUNDS,
    )
    yield histogram(
        "backend_duration",
        "How long a backend took, from the request's sending to the answer's end.",
        ["backend", "experiment", "variant"],
        backends,
        BACKEND_BOUNDS,
    )
    outcomes = {(each.experiment, each.metric, each.status): each.count for each in totals.outcomes}
    yield counter("outcomes", "Outcomes posted, by fate.", ["experiment", "metric", "status"], outcomes)
    refusals = {(reason,): count for reason, count in totals.refusals.items()}
    yield counter("refusals", "Requests that the router answered itself, by why.", ["reason"], refusals)


def _audiences(totals: Totals) -> Iterator[Metric]:
    """What became of those who should have taken part, or might have."""
    fallbacks: dict[tuple[str, str, str], int] = {}
    for series in totals.series:
        if series.fallbacks:
            served = (series.experiment, series.variant, series.backend)
            fallbacks[served] = fallbacks.get(served, 0) + series.fallbacks
    text = "Requests that another backend served, because that of the variant assigned could not."
    yield counter("fallbacks", text, ["experiment", "variant", "served"], fallbacks)
    undecided = {(experiment,): count for experiment, count in totals.undecided.items()}
    text = "Conditions that could not be evaluated for a request; it did not take part."
    yield counter("undecided_conditions", text, ["experiment"], undecided)


def _reasons(series: Series) -> Iterator[tuple[str, int]]:
    """How many assignments were made for which reason."""
    if not series.experiment:
        return
    routed = sum(series.statuses.values())
    unknown = 0 if series.reason == "forced" else series.unidentified
    yield series.reason, routed - unknown + series.exposures
    if unknown:
        yield "unidentified", unknown


def _join(into: dict[Labels, Histogram], labels: Labels, more: Histogram) -> None:
    if labels not in into:
        into[labels] = Histogram([0] * len(more.counts))
    into[labels].add(more)


# -- backends and workers ---------------------------------------------------------------------------------

_COUNTS = {
    "waits": ("pool_waits", "Requests that waited for a connection."),
    "retries": ("retries", "Requests that were sent again."),
    "failed_connections": ("connection_failures", "Connections that could not be made."),
    "set_aside": ("address_set_asides", "Times that an address was set aside after failures in a row."),
}
_GAUGES = {
    "addresses": ("backend_addresses", "Addresses of a backend."),
    "set_aside": (
        "backend_addresses_set_aside",
        "Addresses set aside just now, by the worker that sets most aside.",
    ),
    "open": ("pool_open_connections", "Connections open."),
    "idle": ("pool_idle_connections", "Connections that carry no request."),
    "outstanding": ("pool_outstanding_requests", "Requests that a backend has not answered yet."),
    "waiting": ("pool_waiting_requests", "Requests that wait for a connection."),
}
# Each worker has the same addresses, and connections of its own.
_OF_ALL_WORKERS = ("addresses", "set_aside")


def _pools(totals: Totals, living: Sequence[WorkerMetrics]) -> Iterator[Metric]:
    for field, (name, text) in _COUNTS.items():
        counts = {(backend,): _value(each, field) for backend, each in totals.pools.items()}
        yield counter(name, text, ["backend"], counts)
    refused = {}
    for backend, each in totals.pools.items():
        refused[backend, "full"] = each.full
        refused[backend, "timeout"] = each.timeouts
    text = "Requests that were refused because no connection was free."
    yield counter("pool_refusals", text, ["backend", "reason"], refused)
    for field, (name, text) in _GAUGES.items():
        together = max if field in _OF_ALL_WORKERS else add
        gauges: dict[Labels, float] = {}
        for worker in living:
            for backend, pool in worker.pools.items():
                gauges[(backend,)] = together(gauges.get((backend,), 0), _value(pool, field))
        yield gauge(name, text, ["backend"], gauges)


def _value(of: PoolCounts | PoolGauges, field: str) -> int:
    number: int = getattr(of, field)
    return number


_ONE_WORKER: Mapping[str, tuple[str, Callable[[WorkerMetrics, float], float]]] = {
    "worker_client_connections": ("Clients' connections.", lambda worker, now: worker.clients),
    "worker_pending_batches": (
        "Batches of sums that Redis has not confirmed.",
        lambda worker, now: worker.pending_batches,
    ),
    "worker_oldest_batch_seconds": (
        "For how long the oldest sums have waited for Redis.",
        lambda worker, now: worker.oldest_batch + (now - worker.at if worker.pending_batches else 0),
    ),
    "worker_snapshot_version": (
        "The version of the configuration that a worker routes by.",
        lambda worker, now: worker.version,
    ),
    "worker_snapshot_age_seconds": (
        "Since when a worker has routed by this version.",
        lambda worker, now: max(now - worker.since, 0),
    ),
    "worker_uptime_seconds": (
        "Since when a worker has run.",
        lambda worker, now: max(now - worker.started, 0),
    ),
    "worker_report_age_seconds": (
        "How old what a worker says of itself is.",
        lambda worker, now: max(now - worker.at, 0),
    ),
}


def _workers(living: Sequence[WorkerMetrics], now: float) -> Iterator[Metric]:
    # By place and not by name: a name lives as long as its process, and would make a series for each.
    ordered = sorted(living, key=lambda worker: (worker.started, worker.worker))
    yield gauge("workers", "Workers that are alive.", [], {(): len(ordered)})
    for name, (text, read) in _ONE_WORKER.items():
        samples = {(str(place),): read(worker, now) for place, worker in enumerate(ordered, 1)}
        yield gauge(name, text, ["worker"], samples)
