"""Does every request that was recorded reach Redis, and none twice?"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import threading
from collections import Counter
from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from policies.assignment import BUCKETS, POSITION_SHIFT
from policies.latency_cells import cell
from router.data.metering import Meter
from router.data.recorder import Recorder
from router.data.tallies import Accumulator, Entry, Seen, Tally
from router.errors import StoreUnavailable
from router.store import keys, layout
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from router.store.records import Batch, Delta, record
from router.token import FALLBACK, UNIDENTIFIED
from tests.router.data.inprocess import nobody
from tests.router.data.plain_redis import redis, server

__all__ = ["redis", "server"]

latencies = st.integers(0, 10**9)
entries = st.builds(
    lambda place, first, rest, status, flags: (place, first, first + rest, status, flags, rest * 1e-6),
    st.integers(0, 2**64 - 1) | st.integers(0, 50).map(lambda number: number << POSITION_SHIFT),
    latencies,
    latencies,
    st.sampled_from([200, 200, 404, 499, 500, 503]),
    st.sampled_from([0, 0, 0, UNIDENTIFIED, FALLBACK, FALLBACK | UNIDENTIFIED]),
)


@dataclass
class Naive:
    """The same sums, added up request by request."""

    requests: Counter[int] = field(default_factory=Counter)
    errors: Counter[int] = field(default_factory=Counter)
    first_byte: Counter[int] = field(default_factory=Counter)
    last_byte: Counter[int] = field(default_factory=Counter)
    first_cells: Counter[int] = field(default_factory=Counter)
    last_cells: Counter[int] = field(default_factory=Counter)
    positions: set[int] = field(default_factory=set)
    unidentified: int = 0
    fallbacks: int = 0

    def add(self, entry: Entry) -> None:
        """One request."""
        place, first, last, status, flags, _ = entry
        bucket = place % BUCKETS
        self.requests[bucket] += 1
        self.errors[bucket] += status >= 500 or bool(flags & FALLBACK)
        self.first_byte[bucket] += first
        self.last_byte[bucket] += last
        self.first_cells[layout.histogram_index(bucket, cell(first))] += 1
        self.last_cells[layout.histogram_index(bucket, cell(last))] += 1
        self.positions.add(place >> POSITION_SHIFT)
        self.unidentified += bool(flags & UNIDENTIFIED)
        self.fallbacks += bool(flags & FALLBACK)

    def assert_is(self, deltas: Iterable[Delta]) -> None:
        """These deltas together come to the same, and say nothing of nothing."""
        deltas = list(deltas)
        for name in layout.ARRAYS:
            total: Counter[int] = Counter()
            for delta in deltas:
                total.update(getattr(delta, name))
            assert total == +getattr(self, name), name
            assert all(count for delta in deltas for count in getattr(delta, name).values()), name
        positions = [position for delta in deltas for position in delta.positions]
        assert len(positions) == len(set(positions))
        assert set(positions) == self.positions
        assert sum(delta.unidentified for delta in deltas) == self.unidentified
        assert sum(delta.fallbacks for delta in deltas) == self.fallbacks
        assert sum(sum(delta.periods.values()) for delta in deltas) == self.requests.total()


def lonely(dirty: list[Tally]) -> Accumulator:
    """An accumulator of no recorder."""
    return Accumulator(Meter(), ("", "e", "v", "", ""), 1, Seen(), dirty)


# -- sums ------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(entries, max_size=30), max_size=5))
def test_folded_sums_are_the_naive_sums(rounds: list[list[Entry]]) -> None:
    """Whether they are folded into one delta, as in an outage, or into one each time."""
    naive = Naive()
    apart, together = lonely([]), lonely([])
    deltas, one = [], Delta(epoch=1, variant="v")
    for period, some in enumerate(rounds):
        for entry in some:
            naive.add(entry)
            apart.add(entry)
            together.add(entry)
        delta = Delta(epoch=1, variant="v")
        apart.fold(delta, period)
        together.fold(one, period)
        assert sum(delta.periods.values()) == len(some)
        deltas.append(delta)
    naive.assert_is(deltas)
    naive.assert_is([one])


def test_an_accumulator_is_noted_once_until_it_is_folded() -> None:
    dirty: list[Tally] = []
    accumulator = lonely(dirty)
    for _ in range(3):
        accumulator.add((1, 2, 3, 200, 0, 0.0))
    assert dirty == [accumulator]
    accumulator.fold(Delta(epoch=1, variant="v"), 0)
    accumulator.add((1, 2, 3, 200, 0, 0.0))
    assert dirty == [accumulator, accumulator]


def test_one_accumulator_while_it_is_in_use_and_a_new_one_after(tmp_path: Path) -> None:
    recorder = Recorder("w", nobody, tmp_path)
    first = recorder.accumulator("e", 1, "v")
    assert recorder.accumulator("e", 1, "v") is first
    others = [recorder.accumulator(*key) for key in [("e", 2, "v"), ("e", 1, "w"), ("f", 1, "v")]]
    assert len({id(each) for each in (first, *others)}) == 4
    first.add((1, 2, 3, 200, 0, 0.0))
    del first
    gc.collect()
    # Nobody holds it any more but what it has to tell.
    assert recorder.save(0.0) == 1
    (file,) = tmp_path.glob("*.json")
    (batch,) = msgspec.json.decode(file.read_bytes(), type=list[Batch])
    assert [sum(delta.requests.values()) for delta in batch.deltas] == [1]


# -- what reaches Redis -----------------------------------------------------------------------------------


async def counted(redis: Redis, experiment: str, epoch: int, variant: str) -> tuple[Counter[int], int, int]:
    """Requests by bucket, by period in all, and distinct positions, as Redis has them."""
    raw = await redis.get(keys.sums(experiment, epoch, variant, "requests")) or b""
    size = int(layout.COUNT_TYPE[2:])
    numbers = [int.from_bytes(raw[at : at + size], "big") for at in range(0, len(raw), size)]
    periods = await redis.hvals(keys.sums(experiment, epoch, variant, "periods"))
    units = await redis.bitcount(keys.sums(experiment, epoch, variant, "units"))
    return +Counter(dict(enumerate(numbers))), sum(map(int, periods)), units


class Unreliable:
    """The way to a real store, on which a batch or its answer gets lost as planned."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.plan: Iterator[str] = iter(())
        self.answers: list[bool] = []

    async def __call__(self, batch: Batch) -> bool:
        fate = next(self.plan, "")
        if fate == "before":
            raise StoreUnavailable("lost on the way there")
        self.answers.append(await record(self._redis, batch))
        if fate == "after":
            raise StoreUnavailable("the answer was lost")
        if fate == "cancelled":
            raise asyncio.CancelledError
        return self.answers[-1]


@dataclass(frozen=True, slots=True)
class Request:
    """A request is recorded."""

    slot: tuple[str, int, str]
    entry: Entry


@dataclass(frozen=True, slots=True)
class Flush:
    """The worker sends, and this becomes of its batches; maybe it ends thereafter, and another one starts."""

    fates: list[str]
    ends: bool


SLOTS = [("a", 1, "v"), ("a", 1, "w"), ("a", 2, "v"), ("b", 1, "v")]
requests = st.builds(Request, st.sampled_from(SLOTS), entries)
fates = st.lists(st.sampled_from(["", "", "before", "after", "cancelled"]), max_size=12)
stories = st.lists(st.one_of(requests, requests, st.builds(Flush, fates, st.booleans())), max_size=25)


async def failing(work: Awaitable[object]) -> None:
    """Do it, and take its failing for what it is here: planned."""
    with contextlib.suppress(StoreUnavailable, asyncio.CancelledError):
        await work


@settings(max_examples=60, deadline=None)
@given(story=stories)
def test_everything_is_counted_once_whatever_gets_lost(
    server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory, story: list[Request | Flush]
) -> None:
    """Workers follow one another; each leaves to the next what it does not know to be counted."""
    asyncio.run(tell(server, tmp_path_factory.mktemp("journal"), story))


async def tell(server: EmbeddedRedis, journal: Path, story: list[Request | Flush]) -> None:
    async with connect(server.url) as redis:
        await redis.flushall()
        expected = {slot: Naive() for slot in SLOTS}
        way = Unreliable(redis)
        names = map("worker-{}".format, itertools.count())
        recorder = Recorder(next(names), way, journal)
        for step in story:
            if isinstance(step, Request):
                recorder.accumulator(*step.slot).add(step.entry)
                expected[step.slot].add(step.entry)
                continue
            way.plan = iter(step.fates)
            await failing(recorder.flush(60.0))
            if step.ends:
                recorder.save(60.0)
                recorder = Recorder(next(names), way, journal)
                await failing(recorder.replay())
        way.plan = iter(())
        await recorder.flush(120.0)
        await recorder.replay()
        assert recorder.pending == 0
        assert list(journal.iterdir()) == []
        for slot, naive in expected.items():
            found = await counted(redis, *slot)
            assert found == (naive.requests, naive.requests.total(), len(naive.positions))


async def test_the_same_batch_goes_again_while_new_sums_add_up(redis: Redis, tmp_path: Path) -> None:
    way = Unreliable(redis)
    recorder = Recorder("w", way, tmp_path)
    accumulator = recorder.accumulator("e", 1, "v")
    way.plan = iter(["after", "after", "before"])
    for attempt in range(3):
        accumulator.add((attempt, 1, 2, 200, 0, 0.0))
        with pytest.raises(StoreUnavailable):
            await recorder.flush(0.0)
    assert recorder.pending == 2
    await recorder.flush(0.0)
    assert recorder.pending == 0
    # The first was counted the first time; what came meanwhile is one batch of its own.
    assert way.answers == [True, False, False, True]
    assert (await counted(redis, "e", 1, "v"))[0] == Counter({0: 1, 1: 1, 2: 1})


async def test_nothing_to_tell_sends_nothing(redis: Redis, tmp_path: Path) -> None:
    way = Unreliable(redis)
    recorder = Recorder("w", way, tmp_path / "journal")
    recorder.accumulator("e", 1, "v")
    await recorder.flush(0.0)
    assert recorder.save(0.0) == 0
    assert way.answers == []
    assert not (tmp_path / "journal").exists()


async def test_many_workers_replay_one_journal_and_count_it_once(redis: Redis, tmp_path: Path) -> None:
    """All start at once, as after a restart, and each finds every journal."""
    sums = Counter[int]()
    for name in range(5):
        way = Unreliable(redis)
        way.plan = iter(["after", "before"])
        gone = Recorder(f"gone-{name}", way, tmp_path)
        for number in range(10):
            gone.accumulator("e", 1, "v").add((number, 1, 2, 200, 0, 0.0))
            sums[number] += 1
            with contextlib.suppress(StoreUnavailable):
                await gone.flush(0.0)
            way.plan = iter(["before"])
        assert gone.save(0.0) == 2
    successors = [Recorder(f"new-{number}", partial(record, redis), tmp_path) for number in range(8)]
    await asyncio.gather(*(successor.replay() for successor in successors))
    assert list(tmp_path.iterdir()) == []
    assert (await counted(redis, "e", 1, "v"))[0] == sums


async def test_a_journal_is_kept_until_all_of_it_is_counted(redis: Redis, tmp_path: Path) -> None:
    gone = Recorder("gone", nobody, tmp_path)
    for experiment in ("e", "f", "g"):
        gone.accumulator(experiment, 1, "v").add((5, 1, 2, 200, 0, 0.0))
    assert gone.save(0.0) == 3
    way = Unreliable(redis)
    way.plan = iter(["", "after"])
    successor = Recorder("new", way, tmp_path)
    with pytest.raises(StoreUnavailable):
        await successor.replay()
    assert len(list(tmp_path.iterdir())) == 1
    assert await successor.replay() == 3
    assert list(tmp_path.iterdir()) == []
    for experiment in ("e", "f", "g"):
        assert (await counted(redis, experiment, 1, "v"))[0] == Counter({5: 1})


async def test_what_is_no_journal_is_in_nobodys_way(redis: Redis, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"[{")
    (tmp_path / "b.json").write_bytes(b'[{"experiment": 1}]')
    (tmp_path / "c.unfinished").write_bytes(b"[")
    gone = Recorder("gone", nobody, tmp_path)
    gone.accumulator("e", 1, "v").add((5, 1, 2, 200, 0, 0.0))
    gone.save(0.0)
    assert await Recorder("new", partial(record, redis), tmp_path).replay() == 1
    assert (await counted(redis, "e", 1, "v"))[0] == Counter({5: 1})


def test_a_journal_appears_whole(tmp_path: Path) -> None:
    """Whoever looks while it is written finds none or all of it."""
    gone = Recorder("gone", nobody, tmp_path)
    for number in range(1 << 16):
        gone.accumulator("e", 1, "v").add((number << POSITION_SHIFT | number, 1, 2, 200, 0, 0.0))
    found: list[bytes] = []
    saved = threading.Event()

    def look() -> None:
        while not saved.is_set():
            found.extend(file.read_bytes() for file in tmp_path.glob("*.json"))

    looking = threading.Thread(target=look)
    looking.start()
    gone.save(0.0)
    saved.set()
    looking.join()
    (file,) = tmp_path.iterdir()
    assert set(found) <= {file.read_bytes()}


async def test_an_outage_costs_memory_by_bucket_and_not_by_request(tmp_path: Path) -> None:
    recorder = Recorder("w", nobody, tmp_path)
    accumulator = recorder.accumulator("e", 1, "v")
    sizes = []
    for _ in range(4):
        for _ in range(20):
            for number in range(200):
                accumulator.add((number, 1, 2, 200, 0, 0.0))
            with pytest.raises(StoreUnavailable):
                await recorder.flush(0.0)
        recorder.save(0.0)
        (file,) = tmp_path.iterdir()
        sizes.append(file.stat().st_size)
    # A number has a digit more now and then.
    assert sizes[-1] < 1.1 * sizes[0]
