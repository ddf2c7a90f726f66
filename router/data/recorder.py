"""What does a worker remember of the requests it served, and how does that reach Redis exactly once?

A request adds to its variant's sums and nothing else. A few times a second the sums are taken, numbered and
sent; a batch whose fate is unknown is sent again under its number, which the store counts once, and while it
is in doubt new sums simply go on adding up, so that an outage costs no memory worth the name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import ceil
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from router.data.decision_log import DecisionLog
from router.data.metering import Meter
from router.data.tallies import Accumulator, Seen, Tally
from router.errors import StoreUnavailable
from router.store.layout import period_end
from router.store.records import Batch, Delta
from router.worker_totals import SeriesKey

# A little under the 0.2 s that are promised, because sending takes its time, too.
INTERVAL = 0.16
LONGEST_WINDOW = 366 * 86400.0

Send = Callable[[Batch], Awaitable[bool]]


class Recorder:
    """Takes the accumulators' sums on a schedule and sends them, each batch once."""

    def __init__(
        self,
        writer: str,
        send: Send,
        journal: Path,
        window: Callable[[str], float] = lambda _: LONGEST_WINDOW,
    ) -> None:
        """``window``: an experiment's attribution window in seconds, for which counts by period are kept."""
        self._writer = writer
        self._window = window
        self._send = send
        self._journal = journal
        self.meter = Meter()
        # Since when something waits to be confirmed.
        self._since: float | None = None
        # Slots hold the accumulators: one lives as long as a request or a snapshot that uses it, and, by
        # the list of those that have something to tell, until that has been told.
        self._accumulators: WeakValueDictionary[tuple[str, int, str, str, str, str], Accumulator] = (
            WeakValueDictionary()
        )
        self._seen: WeakValueDictionary[tuple[str, int, str], Seen] = WeakValueDictionary()
        self._tallies: WeakValueDictionary[SeriesKey, Tally] = WeakValueDictionary()
        self._dirty: list[Tally] = []
        self._logs: dict[str, DecisionLog] = {}
        self._lines: dict[str, list[str]] = {}
        self._sums: dict[str, dict[tuple[int, str], Delta]] = {}
        self._in_doubt: dict[str, Batch] = {}
        self._numbers: dict[str, int] = {}

    def accumulator(
        self, experiment: str, epoch: int, variant: str, route: str = "", backend: str = "", reason: str = ""
    ) -> Accumulator:
        """The accumulator of a variant in an epoch and by a route: the same one as long as it is in use."""
        key = (experiment, epoch, variant, route, backend, reason)
        found = self._accumulators.get(key)
        if found is None:
            seen = self._seen.get(key[:3])
            if seen is None:
                seen = self._seen[key[:3]] = Seen()
            labels = (route, experiment, variant, backend, reason)
            found = self._accumulators[key] = Accumulator(self.meter, labels, epoch, seen, self._dirty)
        return found

    def tally(
        self, route: str, experiment: str = "", variant: str = "", backend: str = "", reason: str = ""
    ) -> Tally:
        """The tally of requests that no experiment counts: the same one as long as it is in use."""
        key = (route, experiment, variant, backend, reason)
        found = self._tallies.get(key)
        if found is None:
            found = self._tallies[key] = Tally(self.meter, key, self._dirty)
        return found

    def decision_log(self, experiment: str, keep: int) -> DecisionLog:
        """The log of an experiment's decisions, of which the newest ``keep`` are of use: always the same."""
        log = self._logs.setdefault(experiment, DecisionLog(keep))
        log.keep = keep
        return log

    @property
    def pending(self) -> int:
        """Batches that Redis has not confirmed."""
        return len(self._in_doubt) + len(self._sums)

    def oldest(self, now: float) -> float:
        """For how many seconds something has waited to be confirmed; 0 where nothing does."""
        return max(now - self._since, 0.0) if self._since is not None and self.pending else 0.0

    async def flush(self, now: float) -> None:
        """Take the sums and send what can be sent; `StoreUnavailable` leaves everything for the next time."""
        self.take(now)
        for experiment in list(self._in_doubt):
            await self._confirm(experiment)
        for experiment in list(self._sums):
            deltas = self._sums.pop(experiment)
            number = self._numbers[experiment] = self._numbers.get(experiment, 0) + 1
            self._in_doubt[experiment] = self._batch(experiment, number, deltas)
            await self._confirm(experiment)
        self._since = now if self._sums else None

    def _batch(self, experiment: str, number: int, deltas: dict[tuple[int, str], Delta]) -> Batch:
        return Batch(
            experiment=experiment,
            writer=self._writer,
            number=number,
            deltas=list(deltas.values()),
            keep_seconds=ceil(self._window(experiment)),
            decisions=self._lines.pop(experiment, []),
            keep_decisions=self._logs[experiment].keep if experiment in self._logs else 1,
        )

    async def _confirm(self, experiment: str) -> None:
        await self._send(self._in_doubt[experiment])
        del self._in_doubt[experiment]

    def take(self, now: float) -> None:
        """Fold the logs into sums."""
        for tally in self._dirty:
            if not isinstance(tally, Accumulator):
                tally.take()
                continue
            deltas = self._sums.setdefault(tally.experiment, {})
            key = (tally.epoch, tally.variant)
            if key not in deltas:
                deltas[key] = Delta(epoch=tally.epoch, variant=tally.variant)
            tally.fold(deltas[key], period_end(now, self._window(tally.experiment)))
        self._dirty.clear()
        for experiment, log in self._logs.items():
            lines = log.take()
            if lines:
                self._sums.setdefault(experiment, {})
                self._lines[experiment] = [*self._lines.get(experiment, ()), *lines][-log.keep :]
        if self._since is None and self._sums:
            self._since = now

    def save(self, now: float) -> int:
        """Write what Redis has not confirmed to the journal, for the next worker; how many batches."""
        self.take(now)
        batches = list(self._in_doubt.values())
        for experiment, deltas in self._sums.items():
            number = self._numbers.get(experiment, 0) + 1
            batches.append(self._batch(experiment, number, deltas))
        if batches:
            self._journal.mkdir(parents=True, exist_ok=True)
            # Whole or not there: another worker may be looking for journals just now.
            unfinished = self._journal / f"{self._writer}.unfinished"
            unfinished.write_bytes(msgspec.json.encode(batches))
            unfinished.replace(self._journal / f"{self._writer}.json")
        return len(batches)

    async def replay(self) -> int:
        """Send the batches of journals that earlier workers left; the store counts none of them twice."""
        sent = 0
        for path in sorted(self._journal.glob("*.json")):
            try:
                batches = msgspec.json.decode(path.read_bytes(), type=list[Batch])
            except (OSError, msgspec.DecodeError):
                continue
            for batch in sorted(batches, key=lambda batch: batch.number):
                await self._send(batch)
                sent += 1
            path.unlink(missing_ok=True)
        return sent


async def keep_flushing(recorder: Recorder, clock: Callable[[], float]) -> None:
    """Flush every `INTERVAL` until cancelled; an outage is waited out."""
    while True:
        await asyncio.sleep(INTERVAL)
        try:
            await recorder.flush(clock())
        except StoreUnavailable:
            continue
