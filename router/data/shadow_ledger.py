"""What does a worker remember of compared pairs, and how does that reach Redis exactly once?

As with requests' sums: added up, taken, numbered and sent; a batch whose fate is unknown is sent again under
its number, and meanwhile new sums add up elsewhere, so that an outage costs a bounded memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from policies.shadow.compare import Compared
from router.errors import StoreUnavailable
from router.store.shadows import MILLION, ShadowBatch

INTERVAL = 1.0
# Examples that wait for one batch.
_EXAMPLES_HELD = 5

Send = Callable[[ShadowBatch], Awaitable[bool]]
Place = tuple[str, str]
"""A shadow and its generation."""

_encode = msgspec.json.Encoder().encode


class _Sums:
    """What is to be sent of one shadow and generation."""

    __slots__ = ("examples", "sums")

    def __init__(self) -> None:
        self.sums: dict[str, dict[int, int]] = {}
        self.examples: list[str] = []

    def add(self, name: str, bucket: int, number: int) -> None:
        """Add to one sum's bucket."""
        if number:
            into = self.sums.setdefault(name, {})
            into[bucket] = into.get(bucket, 0) + number


class Ledger:
    """Takes compared pairs, and sends what they add up to."""

    def __init__(self, writer: str, send: Send) -> None:
        self._writer = writer
        self._send = send
        self._sums: dict[Place, _Sums] = {}
        self._in_doubt: dict[Place, ShadowBatch] = {}
        self._numbers: dict[Place, int] = {}

    def add(self, place: Place, bucket: int, candidate: Compared, noise: Compared | None) -> None:
        """One request's pairs: the candidate's, and the current model's own where there is one."""
        sums = self._sums.setdefault(place, _Sums())
        _add_pair(sums, "candidate", bucket, candidate)
        if noise is not None:
            _add_pair(sums, "noise", bucket, noise)
            sums.add("both", bucket, 1)
            sums.add("candidate_only", bucket, candidate.differs and not noise.differs)
            sums.add("noise_only", bucket, noise.differs and not candidate.differs)

    def wants_example(self, place: Place) -> bool:
        """Whether there is room for one more before the next batch."""
        sums = self._sums.get(place)
        return sums is None or len(sums.examples) < _EXAMPLES_HELD

    def add_example(self, place: Place, example: dict[str, Any]) -> None:
        """A pair that differs, to be looked at."""
        self._sums.setdefault(place, _Sums()).examples.append(_encode(example).decode())

    @property
    def pending(self) -> int:
        """Batches that Redis has not confirmed."""
        return len(self._in_doubt) + len(self._sums)

    async def flush(self) -> None:
        """Send what can be sent; `StoreUnavailable` leaves everything for the next time."""
        for place in list(self._in_doubt):
            await self._confirm(place)
        for place in list(self._sums):
            sums = self._sums.pop(place)
            number = self._numbers[place] = self._numbers.get(place, 0) + 1
            shadow, generation = place
            self._in_doubt[place] = ShadowBatch(
                shadow=shadow,
                generation=generation,
                writer=self._writer,
                number=number,
                sums=sums.sums,
                examples=sums.examples,
            )
            await self._confirm(place)

    async def _confirm(self, place: Place) -> None:
        await self._send(self._in_doubt[place])
        del self._in_doubt[place]


def _add_pair(sums: _Sums, name: str, bucket: int, pair: Compared) -> None:
    sums.add(f"{name}.pairs", bucket, 1)
    sums.add(f"{name}.differs", bucket, pair.differs)
    sums.add(f"{name}.failed", bucket, pair.failed)
    sums.add(f"{name}.status", bucket, pair.status)
    sums.add(f"{name}.body", bucket, pair.body)
    if pair.top is not None:
        sums.add(f"{name}.top_pairs", bucket, 1)
        sums.add(f"{name}.top_same", bucket, pair.top)
    if pair.overlap is not None:
        sums.add(f"{name}.ranked", bucket, 1)
        sums.add(f"{name}.overlap", bucket, round(pair.overlap * MILLION))
    if pair.seconds is not None:
        sums.add(f"{name}.timed", bucket, 1)
        sums.add(f"{name}.seconds", bucket, round(pair.seconds * MILLION))


async def forget(batch: ShadowBatch) -> bool:
    """Send nothing."""
    return True


async def keep_sending(ledger: Ledger) -> None:
    """Flush every `INTERVAL` until cancelled; an outage is waited out."""
    while True:
        await asyncio.sleep(INTERVAL)
        try:
            await ledger.flush()
        except StoreUnavailable:
            continue
