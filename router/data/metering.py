"""What has a worker done since it started, for whoever watches it?

Nothing here is called for each request: logs of requests are added when they are folded, and everything is
written to a file once a second.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from router.events import say
from router.worker_totals import (
    BACKEND_BOUNDS,
    FOLDER,
    OVERHEAD_BOUNDS,
    Histogram,
    OutcomeCount,
    PoolCounts,
    PoolGauges,
    Series,
    SeriesKey,
    ShadowCounts,
    Totals,
    WorkerMetrics,
    encode,
    replace_file,
)

if TYPE_CHECKING:
    from router.data.plane import Plane
    from router.data.pool import Pool
    from router.data.tallies import Entry

WRITE_SECONDS = 1.0

log = logging.getLogger("turnout.data")


class Meter:
    """One worker's totals."""

    def __init__(self) -> None:
        self.refusals: Counter[str] = Counter()
        self.outcomes: Counter[tuple[str, str, str]] = Counter()
        # Conditions that could not be evaluated, by experiment.
        self.undecided: Counter[str] = Counter()
        self._series: dict[SeriesKey, Series] = {}
        self._pools: dict[str, PoolCounts] = {}
        self._shadows: dict[str, ShadowCounts] = {}

    def series(
        self, route: str, experiment: str = "", variant: str = "", backend: str = "", reason: str = ""
    ) -> Series:
        """The series of these labels: always the same one, so that its counts never go back."""
        key = (route, experiment, variant, backend, reason)
        found = self._series.get(key)
        if found is None:
            found = self._series[key] = Series(
                route=route, experiment=experiment, variant=variant, backend=backend, reason=reason
            )
        return found

    def pool(self, backend: str) -> PoolCounts:
        """The counts of a backend, whichever pool is in use for it."""
        return self._pools.setdefault(backend, PoolCounts())

    def shadow(self, name: str) -> ShadowCounts:
        """The counts of a shadow, however it is configured."""
        return self._shadows.setdefault(name, ShadowCounts())

    def count_outcome(self, experiment: str, metric: str, status: str) -> None:
        """An outcome met this fate."""
        self.outcomes[experiment, metric, status] += 1

    def totals(self) -> Totals:
        """All that is counted; of series those that had anything to count."""
        return Totals(
            series=[each for each in self._series.values() if each.statuses or each.exposures],
            pools=self._pools,
            outcomes=[OutcomeCount(*key, count) for key, count in self.outcomes.items()],
            refusals=dict(self.refusals),
            undecided=dict(self.undecided),
            shadows=self._shadows,
        )


def add_log(series: Series, log: Sequence[Entry]) -> None:
    """Add requests to their series."""
    statuses = series.statuses
    for status, count in Counter([entry[3] for entry in log]).items():
        statuses[status] = statuses.get(status, 0) + count
    _observe(series.overhead, OVERHEAD_BOUNDS, sorted([entry[2] * 1e-6 - entry[5] for entry in log]), 0)
    beyond = sorted([entry[5] for entry in log])
    # What never reached a backend took none of its time.
    _observe(series.backend_time, BACKEND_BOUNDS, beyond, bisect_right(beyond, 0.0))


def _observe(histogram: Histogram, bounds: Sequence[float], ordered: list[float], start: int) -> None:
    """Add the durations of an ordered list from ``start`` on: a search for each bound, not for each value."""
    counts = histogram.counts
    size, last = len(ordered), ordered[-1]
    histogram.seconds += sum(ordered)
    for place, bound in enumerate(bounds):
        if start == size:
            return
        end = size if last <= bound else bisect_right(ordered, bound, start)
        counts[place] += end - start
        start = end
    counts[-1] += size - start


def _gauges(pool: Pool, now: float) -> PoolGauges:
    addresses = pool.addresses
    return PoolGauges(
        addresses=len(addresses),
        set_aside=sum(address.aside_until > now for address in addresses),
        open=sum(address.open for address in addresses),
        idle=sum(len(address.idle) for address in addresses),
        outstanding=sum(address.outstanding for address in addresses),
        waiting=pool.waiting,
    )


class Reporter:
    """Writes a worker's file, and shows by a lock that the worker lives."""

    def __init__(self, data_dir: Path, worker: str, plane: Plane, clock: Callable[[], float]) -> None:
        """``clock`` gives unix seconds."""
        folder = data_dir / FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{worker}.json"
        self._worker = worker
        self._plane = plane
        self._clock = clock
        self._started = clock()
        self._lock = (folder / f"{worker}.alive").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._writing: asyncio.Future[None] | None = None
        self._failing = False

    def document(self) -> WorkerMetrics:
        """The totals up to now, with every request that has ended."""
        plane, now = self._plane, self._clock()
        plane.recorder.take(now)
        snapshot = plane.snapshot
        return WorkerMetrics(
            worker=self._worker,
            pid=os.getpid(),
            started=self._started,
            at=now,
            version=snapshot.state.version,
            since=plane.adopted,
            clients=len(plane.clients),
            pending_batches=plane.recorder.pending,
            oldest_batch=plane.recorder.oldest(now),
            pools={name: _gauges(pool, plane.now) for name, pool in plane.pools.items()},
            totals=plane.meter.totals(),
        )

    async def keep_writing(self) -> None:
        """Write once a second until cancelled; a slow disk does not hold up requests, nor does a full one."""
        while True:
            self._writing = asyncio.ensure_future(asyncio.to_thread(self._write, encode(self.document())))
            await asyncio.shield(self._writing)
            await asyncio.sleep(WRITE_SECONDS)

    async def finish(self) -> None:
        """Write for the last time; then the worker is no longer alive."""
        if self._writing is not None:
            await self._writing
        self._write(encode(self.document()))
        self._lock.close()

    def _write(self, content: bytes) -> None:
        try:
            replace_file(self._path, content)
        except OSError as error:
            if not self._failing:
                text = f"the metrics cannot be written: {error}"
                say(log, "metrics_not_written", text, logging.WARNING, detail=str(error))
            self._failing = True
        else:
            self._failing = False
