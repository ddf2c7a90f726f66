"""Do comparisons take no more of the loop's time than they may, and wait in a bounded room?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from time import perf_counter
from typing import Any

import pytest

from policies.shadow.compare import Answer, Rules
from policies.shadow.json_difference import Tolerance
from policies.shadow.pointers import paths
from router.data.shadow_ledger import Ledger, forget
from router.data.shadow_pairs import CANDIDATE, NOISE, SHARE, Comparer, Open, Pair, Terms
from router.worker_totals import ShadowCounts
from tests.router.data.inprocess import eventually


class Loop:
    """What a comparer asks of an event loop: to be called later. Notes for how long."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.next: Callable[[], object] | None = None

    def call_later(self, delay: float, callback: Callable[[], object], /) -> None:
        self.delays.append(delay)
        self.next = callback

    def run(self) -> None:
        """Do what is due."""
        assert self.next is not None
        callback, self.next = self.next, None
        callback()


class Timer:
    """A timer by which every comparison takes the same time."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def stage(loop: Any, timer: Callable[[], float] = perf_counter) -> tuple[Comparer, Open]:
    terms = Terms(
        place=("next", "g"),
        rules=Rules(tolerance=Tolerance(absolute=0.1)),
        redacted=paths([]),
        largest=1 << 20,
        most=1000,
        counts=ShadowCounts(),
    )
    return Comparer(Ledger("w", forget), loop, lambda: 0.0, timer), Open(terms)


def settle(comparer: Comparer, open_: Open, client: bytes, candidate: bytes) -> None:
    pair = Pair(comparer, open_, 1, (b"GET", b"/", b"id"))
    pair.client_answered(Answer(200, client, 0.1))
    pair.answered(CANDIDATE, Answer(200, candidate, 0.2))


def test_after_a_slice_comparing_rests_for_its_share() -> None:
    """Comparisons of 0.4 ms: three make a slice, after which nothing is done for 99 times as long."""
    loop = Loop()
    timer = Timer(0.0004)
    comparer, open_ = stage(loop, timer)
    for _ in range(40):
        settle(comparer, open_, b"[1]", b"[1]")
    waits = []
    while loop.next is not None:
        left, before = open_.pairs, len(loop.delays)
        loop.run()
        assert left - open_.pairs == min(left, 3)
        waits += loop.delays[before:]
    assert open_.terms.counts.pairs["candidate:same"] == 40
    rest = 3 * timer.step * (1 / SHARE - 1)
    assert waits == [pytest.approx(rest - timer.step)] * 13


def test_a_pair_that_takes_long_is_compared_over_many_slices() -> None:
    """So that no request waits for it."""
    loop = Loop()
    comparer, open_ = stage(loop, Timer(0.0004))
    objects = [{"a": number} for number in range(5000)]
    settle(comparer, open_, json.dumps(objects).encode(), json.dumps([*objects[:-1], {"a": -1}]).encode())
    settle(comparer, open_, b"[1]", b"[1]")
    slices = 0
    while loop.next is not None:
        assert open_.pairs == 2 or open_.terms.counts.pairs["candidate:differ"] == 1
        loop.run()
        slices += 1
    assert slices > 10
    assert (open_.pairs, open_.terms.counts.pairs["candidate:same"]) == (0, 1)


def test_a_pair_waits_for_all_its_answers_whatever_their_order() -> None:
    loop = Loop()
    comparer, open_ = stage(loop)
    pair = Pair(comparer, open_, 1, (b"GET", b"/", b"id"))
    pair.expect_noise()
    pair.answered(NOISE, Answer(200, b"1"))
    pair.answered(CANDIDATE, Answer(200, b"2"))
    assert loop.next is None
    pair.client_answered(Answer(200, b"1.05"))
    loop.run()
    counts = open_.terms.counts.pairs
    assert (counts["candidate:differ"], counts["noise:same"]) == (1, 1)


def test_what_cannot_be_compared_is_counted_and_makes_room() -> None:
    comparer, open_ = stage(Loop())
    for client, candidate, why in (
        (None, Answer(200), "no_client_answer"),
        (Answer(200), None, "not_sent"),
    ):
        pair = Pair(comparer, open_, 1, (b"GET", b"/", b"id"))
        pair.answered(CANDIDATE, candidate)
        pair.client_answered(client)
        assert open_.terms.counts.uncompared[why] == 1
    assert open_.pairs == 0


async def test_in_a_real_loop_everything_is_compared_in_the_end() -> None:
    comparer, open_ = stage(asyncio.get_running_loop())
    for _ in range(50):
        settle(comparer, open_, b'{"a": 1.0}', b'{"a": 1.01}')
    await eventually(lambda: not open_.pairs)
    assert open_.terms.counts.pairs["candidate:same"] == 50
