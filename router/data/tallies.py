"""What do the requests of one variant, or of none, come to since they were last told?

A request appends to a log and nothing else; a few times a second the log is folded into sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from operator import add

from policies.assignment import BUCKETS, POSITION_SHIFT, POSITIONS
from policies.latency_cells import CELLS, cells
from router.data.metering import Meter, add_log
from router.store.layout import GROUPS
from router.store.records import Delta
from router.token import FALLBACK, UNIDENTIFIED
from router.worker_totals import Series, SeriesKey

# From this status on an answer is an error.
FAILED = 500

# One request: its unit's place, first and last byte in microseconds, the status, the token's flags, and how
# many seconds of its time were the backend's.
Entry = tuple[int, int, int, int, int, float]


class Tally:
    """Requests that are counted for whoever watches the service, and in no experiment."""

    __slots__ = ("__weakref__", "_dirty", "_key", "_log", "_meter")

    def __init__(self, meter: Meter, key: SeriesKey, dirty: list[Tally]) -> None:
        self._meter = meter
        self._key = key
        self._dirty = dirty
        self._log: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Record one request."""
        log = self._log
        if not log:
            self._dirty.append(self)
        log.append(entry)

    @property
    def series(self) -> Series:
        """Where it counts; made when there is something to count."""
        return self._meter.series(*self._key)

    def take(self) -> list[Entry]:
        """The log, counted and emptied."""
        log, self._log = self._log, []
        if log:
            add_log(self.series, log)
        return log


class Seen(bytearray):
    """The positions that a worker has seen in one variant and epoch; empty until there is one."""

    __slots__ = ("__weakref__",)


class Accumulator(Tally):
    """What one variant's requests in one epoch, by one route, came to since it was last told."""

    __slots__ = ("_exposed", "_seen", "epoch", "experiment", "variant")

    def __init__(self, meter: Meter, key: SeriesKey, epoch: int, seen: Seen, dirty: list[Tally]) -> None:
        super().__init__(meter, key, dirty)
        _, self.experiment, self.variant, _, _ = key
        self.epoch = epoch
        self._exposed: list[int] = []
        self._seen = seen

    def expose(self, place: int) -> None:
        """A unit was told its variant: it counts among the units, and no request was served."""
        self._dirty.append(self)
        self._exposed.append(place >> POSITION_SHIFT)

    def fold(self, into: Delta, period: int) -> None:
        """Add the log to ``into`` and empty it."""
        if self._exposed:
            exposed, self._exposed = self._exposed, []
            self.series.exposures += len(exposed)
            self._notice(exposed, into.positions)
        log = self.take()
        if not log:
            return
        # By columns, and by bucket into lists: half the time that entries and dicts would take.
        places, first, last, statuses, flags, _ = zip(*log, strict=True)
        stood_in = 0
        into.periods[period] = into.periods.get(period, 0) + len(log)
        if any(flags):
            unidentified = sum(map(UNIDENTIFIED.__and__, flags))
            into.unidentified += unidentified
            self.series.unidentified += unidentified
            stood_in = sum(map(FALLBACK.__and__, flags)) // FALLBACK
            into.fallbacks += stood_in
            self.series.fallbacks += stood_in

        buckets = [place % BUCKETS for place in places]
        first_byte, last_byte = [0] * BUCKETS, [0] * BUCKETS
        for bucket, one, other in zip(buckets, first, last, strict=True):
            first_byte[bucket] += one
            last_byte[bucket] += other
        _add(into.requests, Counter(buckets).items())
        _add(into.first_byte, enumerate(first_byte))
        _add(into.last_byte, enumerate(last_byte))
        if max(statuses) >= FAILED or stood_in:
            # What another backend had to answer is no success of the variant: a canary must see it.
            failed = (
                bucket
                for bucket, status, flag in zip(buckets, statuses, flags, strict=True)
                if status >= FAILED or flag & FALLBACK
            )
            _add(into.errors, Counter(failed).items())
        # GROUPS divides BUCKETS: a place is in the same group as its bucket.
        groups = [bucket % GROUPS * CELLS for bucket in buckets]
        _add(into.first_cells, Counter(map(add, groups, cells(first))).items())
        _add(into.last_cells, Counter(map(add, groups, cells(last))).items())
        self._notice([place >> POSITION_SHIFT for place in places], into.positions)

    def _notice(self, positions: list[int], new: list[int]) -> None:
        """Append to ``new`` the positions that this worker sees for the first time."""
        seen = self._seen
        if not seen:
            seen.extend(bytes(POSITIONS // 8))
        for position in positions:
            mask = 1 << (position & 7)
            if not seen[position >> 3] & mask:
                seen[position >> 3] |= mask
                new.append(position)


def _add(into: dict[int, int], more: Iterable[tuple[int, int]]) -> None:
    for key, number in more:
        if number:
            into[key] = into.get(key, 0) + number
