"""What has one variant summed up in one epoch, folded or not, and how is it folded?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, Final

from msgspec.structs import replace
from redis.asyncio import Redis

from router.store import keys
from router.store.client import seam
from router.store.folded import (
    Folded,
    Unpacked,
    added,
    decode,
    encode,
    marked_together,
    pack,
    periods_together,
    unpack,
    unpack_whole,
    width,
    with_units,
)
from router.store.script import Script

_UNITS: Final = "units"
_PERIODS: Final = "periods"

_fold = Script("fold")


@dataclass(frozen=True, slots=True)
class Place:
    """Which epoch and variant of an experiment."""

    experiment: str
    epoch: int
    variant: str

    def key(self, what: str) -> str:
        """Where a sum of it is kept, by the name that `router.store.layout` gives it."""
        return keys.sums(self.experiment, self.epoch, self.variant, what)

    @property
    def folded(self) -> str:
        """Where the document is kept, once it was folded."""
        return keys.folded(self.experiment, self.epoch, self.variant)


@dataclass(frozen=True, slots=True)
class Cell:
    """What Redis has of one place, of what was asked for.

    ``packed`` are the arrays that were folded, and ``strings`` those that were not, or came later.
    ``counters`` are plain counts, ``marked`` counts the positions of all units, and ``periods`` has requests
    by the end of their period.
    """

    packed: Mapping[str, bytes]
    strings: Mapping[str, bytes]
    counters: Mapping[str, int]
    marked: int
    periods: Mapping[int, int]

    def parts(self, name: str) -> Iterator[Unpacked]:
        """The arrays of this name that have to be added up: what was folded, and what came later."""
        if name in self.packed:
            yield unpack(self.packed[name])
        if name in self.strings:
            yield Unpacked(b"", self.strings[name])

    @property
    def empty(self) -> bool:
        """Whether nothing was ever summed up here."""
        return not (self.packed or self.strings or self.marked or self.periods)


@dataclass(frozen=True, slots=True)
class Loose:
    """What of one place is not folded, beside what is, and the ``digest`` of both."""

    strings: Mapping[str, bytes]
    bitmap: bytes
    periods: Mapping[int, int]
    folded: Folded
    digest: str

    def together(self, types: Mapping[str, str], *, keep_bitmap: bool) -> Folded:
        """All of it folded; ``types`` as `layout.array_types` has them, ``keep_bitmap`` as `with_units`."""
        arrays = dict(self.folded.arrays)
        for name, late in self.strings.items():
            before = unpack_whole(arrays[name]) if name in arrays else b""
            arrays[name] = pack(added(before, late, types[name]), width(types[name]))
        periods = periods_together(self.folded.periods, self.periods)
        folded = replace(self.folded, periods=periods, arrays=arrays)
        return with_units(folded, self.bitmap, keep_bitmap=keep_bitmap)


async def read_cells(
    redis: Redis, places: Sequence[Place], arrays: Sequence[str], counters: Sequence[str] = ()
) -> list[Cell]:
    """What there is of some places of one experiment, in one transaction: no batch is half in a cell.

    ``arrays`` and ``counters`` are the names to read of each.
    """
    if not places:
        return []
    width = 1 + len(arrays) + len(counters)
    names = [name for place in places for name in (place.folded, *map(place.key, (*arrays, *counters)))]
    with seam():
        async with redis.pipeline(transaction=True) as pipe:
            pipe.mget(names)
            for place in places:
                pipe.bitcount(place.key(_UNITS))
            for place in places:
                pipe.hgetall(place.key(_PERIODS))
            stored, *others = await pipe.execute()

    cells = []
    for number, place in enumerate(places):
        document, *values = stored[number * width : (number + 1) * width]
        marked, late = others[number], _periods(others[len(places) + number])
        folded = Folded() if document is None else decode(document)
        if folded.marked:
            marked = folded.marked if not marked else await _all_marked(redis, place)
        cells.append(
            Cell(
                packed={name: folded.arrays[name] for name in arrays if name in folded.arrays},
                strings=_there(arrays, values[: len(arrays)]),
                counters={name: int(each) for name, each in _there(counters, values[len(arrays) :]).items()},
                marked=marked,
                periods=periods_together(folded.periods, late),
            )
        )
    return cells


async def is_loose(redis: Redis, place: Place, arrays: Iterable[str]) -> bool:
    """Whether there is anything of one place that is not folded."""
    with seam():
        there: Any = await redis.exists(*(place.key(name) for name in (*arrays, _UNITS, _PERIODS)))
    return bool(there)


async def read_loose(redis: Redis, place: Place, arrays: Sequence[str]) -> Loose:
    """What of one place is not folded, and what is.

    What changes while it is read is not as the ``digest`` says, and is not folded. So this needs no
    transaction, which a server that is full refuses.
    """
    with seam():
        read: Any = await redis.mget([place.folded, *map(place.key, (*arrays, _UNITS))])
        stored: Any = await redis.hgetall(place.key(_PERIODS))
    document, *values = read
    *strings, bitmap = values
    periods = _periods(stored)
    return Loose(
        strings=_there(arrays, strings),
        bitmap=bitmap or b"",
        periods=periods,
        folded=Folded() if document is None else decode(document),
        digest=_digest(document, periods, values),
    )


async def fold(redis: Redis, place: Place, arrays: Sequence[str], loose: Loose, folded: Folded) -> bool:
    """Replace all that was ``loose`` by what it was ``folded`` to; False, and nothing done, where it changed.

    Whoever else folds at the same time, or sends the same again, changes nothing either. After
    `StoreUnavailable` it is unknown whether it was done: look again.
    """
    names = [place.folded, *map(place.key, (_PERIODS, *arrays, _UNITS))]
    with seam():
        return bool(await _fold.run(redis, names, [loose.digest, encode(folded)]))


async def _all_marked(redis: Redis, place: Place) -> int:
    """How many positions there are in what was folded and what came later together."""
    with seam():
        stored: Any = await redis.mget([place.folded, place.key(_UNITS)])
    document, late = stored
    folded = Folded() if document is None else decode(document)
    return marked_together(folded, late or b"")


def _digest(document: bytes | None, periods: Mapping[int, int], strings: Sequence[bytes | None]) -> str:
    """As the script makes it."""
    listed = ",".join(f"{ending}={periods[ending]}" for ending in sorted(periods))
    held = [document or b"", listed.encode(), *(each or b"" for each in strings)]
    return _sha1("".join(map(_sha1, held)).encode())


def _sha1(content: bytes) -> str:
    return sha1(content, usedforsecurity=False).hexdigest()


def _there(names: Sequence[str], values: Sequence[bytes | None]) -> dict[str, bytes]:
    return {name: each for name, each in zip(names, values, strict=True) if each}


def _periods(stored: Mapping[bytes, bytes]) -> dict[int, int]:
    return {int(ending): int(count) for ending, count in stored.items()}
