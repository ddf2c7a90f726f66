"""What does a worker tell the control plane about its work, and how do several workers' totals add up?

Each worker writes one file, replaced whole, and holds a lock beside it for as long as it lives. What is
counted only goes up; what is measured is of the moment, and ends with the worker.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec import Struct, field

FOLDER: Final = "metrics"

_Key = TypeVar("_Key")

# Upper bounds, inclusive, in seconds.
OVERHEAD_BOUNDS: Final = (1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1)
BACKEND_BOUNDS: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0),
)


class Histogram(Struct):
    """How many durations fell into each bucket (the last one is unbounded), and their sum."""

    counts: list[int]
    seconds: float = 0.0

    @property
    def cumulative(self) -> list[int]:
        """How many were at most each bound; the last is all of them."""
        return list(accumulate(self.counts))

    def add(self, other: Histogram) -> None:
        """Add another one with the same bounds."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds


def _overhead() -> Histogram:
    return Histogram([0] * (len(OVERHEAD_BOUNDS) + 1))


def _backend() -> Histogram:
    return Histogram([0] * (len(BACKEND_BOUNDS) + 1))


SeriesKey = tuple[str, str, str, str, str]


class Series(Struct, kw_only=True):
    """The requests of one route and variant that one backend served, assigned for one reason.

    Without an experiment, ``experiment``, ``variant`` and ``reason`` are empty. ``exposures`` are units that
    were told their variant without a request being routed; they are no requests. ``fallbacks``: how many of
    the requests were served here because the backend of the variant that was assigned could not.
    """

    route: str
    experiment: str = ""
    variant: str = ""
    backend: str = ""
    reason: str = ""
    statuses: dict[int, int] = field(default_factory=dict)
    overhead: Histogram = field(default_factory=_overhead)
    backend_time: Histogram = field(default_factory=_backend)
    unidentified: int = 0
    exposures: int = 0
    fallbacks: int = 0

    @property
    def key(self) -> SeriesKey:
        """What tells this series from others."""
        return self.route, self.experiment, self.variant, self.backend, self.reason

    def add(self, other: Series) -> None:
        """Add what another worker counted."""
        _add(self.statuses, other.statuses)
        self.overhead.add(other.overhead)
        self.backend_time.add(other.backend_time)
        self.unidentified += other.unidentified
        self.exposures += other.exposures
        self.fallbacks += other.fallbacks


class PoolCounts(Struct):
    """What happened at one backend's pool."""

    waits: int = 0
    full: int = 0
    timeouts: int = 0
    retries: int = 0
    failed_connections: int = 0
    set_aside: int = 0

    def add(self, other: PoolCounts) -> None:
        """Add what another worker counted."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class PoolGauges(Struct, frozen=True):
    """What one backend's pool has at this moment."""

    addresses: int
    set_aside: int
    open: int
    idle: int
    outstanding: int
    waiting: int


COPIES: Final = (
    *("sent", "dropped:in_flight", "dropped:no_connection", "dropped:unreachable", "dropped:resting"),
    *("skipped:body", "skipped:rate", "skipped:refused", "skipped:retired", "skipped:upgrade"),
    "skipped:upload",
)
"""What becomes of a copy: it is sent, dropped for want of room, or skipped by a rule; and why."""
ANSWERS: Final = ("answered", "failed", "timeout")
PAIRS: Final = ("candidate:same", "candidate:differ", "noise:same", "noise:differ")
UNCOMPARED: Final = ("budget", "no_client_answer", "not_sent", "share", "too_large")


def _zeros(names: tuple[str, ...]) -> dict[str, int]:
    return dict.fromkeys(names, 0)


class ShadowCounts(Struct):
    """What happened to one shadow's copies, by the names above; ``noise`` are second requests."""

    copies: dict[str, int] = field(default_factory=lambda: _zeros(COPIES))
    noise: dict[str, int] = field(default_factory=lambda: _zeros(COPIES[:4]))
    answers: dict[str, int] = field(default_factory=lambda: _zeros(ANSWERS))
    pairs: dict[str, int] = field(default_factory=lambda: _zeros(PAIRS))
    uncompared: dict[str, int] = field(default_factory=lambda: _zeros(UNCOMPARED))

    def add(self, other: ShadowCounts) -> None:
        """Add what another worker counted."""
        for name in self.__struct_fields__:
            _add(getattr(self, name), getattr(other, name))


class OutcomeCount(Struct):
    """How many outcomes of one metric met one fate; names are empty where an outcome had no known one."""

    experiment: str
    metric: str
    status: str
    count: int


class Totals(Struct):
    """All that is counted; ``undecided`` are conditions that could not be evaluated, by experiment."""

    series: list[Series] = field(default_factory=list)
    pools: dict[str, PoolCounts] = field(default_factory=dict)
    outcomes: list[OutcomeCount] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    undecided: dict[str, int] = field(default_factory=dict)
    shadows: dict[str, ShadowCounts] = field(default_factory=dict)


class WorkerMetrics(Struct, kw_only=True):
    """One worker's file. Times are unix seconds; ``oldest_batch`` is an age in seconds."""

    worker: str
    pid: int
    started: float
    at: float
    version: int
    since: float
    clients: int
    pending_batches: int
    oldest_batch: float
    pools: dict[str, PoolGauges]
    totals: Totals


def merge(parts: Iterable[Totals]) -> Totals:
    """The sum; none of ``parts`` is changed."""
    series: dict[SeriesKey, Series] = {}
    pools: dict[str, PoolCounts] = {}
    outcomes: dict[tuple[str, str, str], int] = {}
    refusals: dict[str, int] = {}
    undecided: dict[str, int] = {}
    shadows: dict[str, ShadowCounts] = {}
    for part in parts:
        for one in part.series:
            if one.key not in series:
                series[one.key] = Series(
                    route=one.route,
                    experiment=one.experiment,
                    variant=one.variant,
                    backend=one.backend,
                    reason=one.reason,
                )
            series[one.key].add(one)
        for name, counts in part.pools.items():
            pools.setdefault(name, PoolCounts()).add(counts)
        for each in part.outcomes:
            key = (each.experiment, each.metric, each.status)
            outcomes[key] = outcomes.get(key, 0) + each.count
        _add(refusals, part.refusals)
        _add(undecided, part.undecided)
        for name, more in part.shadows.items():
            shadows.setdefault(name, ShadowCounts()).add(more)
    return Totals(
        series=list(series.values()),
        pools=pools,
        outcomes=[OutcomeCount(*key, count) for key, count in outcomes.items()],
        refusals=refusals,
        undecided=undecided,
        shadows=shadows,
    )


def _add(into: dict[_Key, int], more: dict[_Key, int]) -> None:
    for key, number in more.items():
        into[key] = into.get(key, 0) + number


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that appears whole."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)


encode = msgspec.json.Encoder().encode
decode_worker = msgspec.json.Decoder(WorkerMetrics).decode
