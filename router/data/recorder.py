"""What does a worker remember of the requests it served, and how does that reach Redis exactly once?

A request adds to its variant's sums and nothing else. A few times a second the sums are taken, numbered and
sent; a batch whose fate is unknown is sent again under its number, which the store counts once, and while it
is in doubt new sums simply go on adding up, so that an outage costs no memory worth the name.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from math import ceil
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from policies.assignment import BUCKETS, POSITION_SHIFT, POSITIONS
from policies.latency_cells import CELLS, cell
from router.errors import StoreUnavailable
from router.store.layout import GROUPS, period_end
from router.store.records import Batch, Delta
from router.token import UNIDENTIFIED

# A little under the 0.2 s that are promised, because sending takes its time, too.
INTERVAL = 0.16
LONGEST_WINDOW = 366 * 86400.0

Send = Callable[[Batch], Awaitable[bool]]


# One request: its unit's place, first and last byte in microseconds, whether it failed, the token's flags.
Entry = tuple[int, int, int, bool, int]


class Accumulator:
    """What one variant's requests in one epoch came to since it was last told."""

    __slots__ = ("__weakref__", "_dirty", "_log", "_seen", "epoch", "experiment", "variant")

    def __init__(self, experiment: str, epoch: int, variant: str, dirty: list[Accumulator]) -> None:
        self.experiment = experiment
        self.epoch = epoch
        self.variant = variant
        self._dirty = dirty
        self._log: list[Entry] = []
        self._seen = bytearray(0)

    def add(self, entry: Entry) -> None:
        """Record one request."""
        log = self._log
        if not log:
            self._dirty.append(self)
        log.append(entry)

    def fold(self, into: Delta, period: int) -> None:
        """Add the log to ``into`` and empty it."""
        log, self._log = self._log, []
        into.periods[period] = into.periods.get(period, 0) + len(log)
        into.unidentified += sum(1 for entry in log if entry[4] & UNIDENTIFIED)

        # Lists by bucket are added to in half the time that dicts are.
        requests, first_byte, last_byte = [0] * BUCKETS, [0] * BUCKETS, [0] * BUCKETS
        for place, first, last, _, _ in log:
            bucket = place % BUCKETS
            requests[bucket] += 1
            first_byte[bucket] += first
            last_byte[bucket] += last
        _add(into.requests, enumerate(requests))
        _add(into.first_byte, enumerate(first_byte))
        _add(into.last_byte, enumerate(last_byte))
        failed = Counter(entry[0] % BUCKETS for entry in log if entry[3])
        _add(into.errors, failed.items())
        # GROUPS divides BUCKETS: a place is in the same group as its bucket.
        first_cells = Counter([place % GROUPS * CELLS + cell(first) for place, first, _, _, _ in log])
        last_cells = Counter([place % GROUPS * CELLS + cell(last) for place, _, last, _, _ in log])
        _add(into.first_cells, first_cells.items())
        _add(into.last_cells, last_cells.items())
        self._notice([entry[0] >> POSITION_SHIFT for entry in log], into.positions)

    def _notice(self, positions: list[int], new: list[int]) -> None:
        """Append to ``new`` the positions that this worker sees for the first time."""
        if not self._seen:
            self._seen = bytearray(POSITIONS // 8)
        seen = self._seen
        for position in positions:
            mask = 1 << (position & 7)
            if not seen[position >> 3] & mask:
                seen[position >> 3] |= mask
                new.append(position)


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
        # Slots hold the accumulators: one lives as long as a request or a snapshot that uses it, and, by
        # the list of those that have something to tell, until that has been told.
        self._accumulators: WeakValueDictionary[tuple[str, int, str], Accumulator] = WeakValueDictionary()
        self._dirty: list[Accumulator] = []
        self._sums: dict[str, dict[tuple[int, str], Delta]] = {}
        self._in_doubt: dict[str, Batch] = {}
        self._numbers: dict[str, int] = {}

    def accumulator(self, experiment: str, epoch: int, variant: str) -> Accumulator:
        """The accumulator of a variant in an epoch: the same one as long as it is in use."""
        key = (experiment, epoch, variant)
        found = self._accumulators.get(key)
        if found is None:
            found = self._accumulators[key] = Accumulator(*key, self._dirty)
        return found

    @property
    def pending(self) -> int:
        """Batches that Redis has not confirmed."""
        return len(self._in_doubt) + len(self._sums)

    async def flush(self, now: float) -> None:
        """Take the sums and send what can be sent; `StoreUnavailable` leaves everything for the next time."""
        self._take(now)
        for experiment in list(self._in_doubt):
            await self._confirm(experiment)
        for experiment in list(self._sums):
            deltas = self._sums.pop(experiment)
            number = self._numbers[experiment] = self._numbers.get(experiment, 0) + 1
            self._in_doubt[experiment] = self._batch(experiment, number, deltas)
            await self._confirm(experiment)

    def _batch(self, experiment: str, number: int, deltas: dict[tuple[int, str], Delta]) -> Batch:
        return Batch(
            experiment=experiment,
            writer=self._writer,
            number=number,
            deltas=list(deltas.values()),
            keep_seconds=ceil(self._window(experiment)),
        )

    async def _confirm(self, experiment: str) -> None:
        await self._send(self._in_doubt[experiment])
        del self._in_doubt[experiment]

    def _take(self, now: float) -> None:
        for accumulator in self._dirty:
            deltas = self._sums.setdefault(accumulator.experiment, {})
            key = (accumulator.epoch, accumulator.variant)
            if key not in deltas:
                deltas[key] = Delta(epoch=accumulator.epoch, variant=accumulator.variant)
            period = period_end(now, self._window(accumulator.experiment))
            accumulator.fold(deltas[key], period)
        self._dirty.clear()

    def save(self, now: float) -> int:
        """Write what Redis has not confirmed to the journal, for the next worker; how many batches."""
        self._take(now)
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


def _add(into: dict[int, int], more: Iterable[tuple[int, int]]) -> None:
    for key, number in more:
        if number:
            into[key] = into.get(key, 0) + number


async def keep_flushing(recorder: Recorder, clock: Callable[[], float]) -> None:
    """Flush every `INTERVAL` until cancelled; an outage is waited out."""
    while True:
        await asyncio.sleep(INTERVAL)
        try:
            await recorder.flush(clock())
        except StoreUnavailable:
            continue
