"""When are the answers to one request compared, and at what cost to everybody else?

A pair is made before its answers are known, and only where there is room, so that what is compared does not
depend on the answers. When all of them are there it waits for a slice of the loop's time: a millisecond or
so, after which comparing rests for so long that it takes no more than its share.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from policies.shadow.compare import Answer, Compared, Rules, comparing
from policies.shadow.example import making_example
from policies.shadow.json_difference import Steps
from policies.shadow.pointers import Paths
from router.data.shadow_ledger import Ledger, Place
from router.worker_totals import ShadowCounts

SLICE = 0.001
SHARE = 0.01
# Answers that come within this time are compared in one go.
_SHORTEST_REST = 0.01
# How often, at most, a worker keeps an example of one shadow, in seconds.
EXAMPLE_SECONDS = 2.0

CANDIDATE = "candidate"
NOISE = "noise"


@dataclass(frozen=True, slots=True)
class Terms:
    """How one shadow's pairs are compared, and where they are counted."""

    place: Place
    rules: Rules
    redacted: Paths
    largest: int
    most: int
    counts: ShadowCounts


class Open:
    """How many pairs of one shadow are open, and when an example was last kept."""

    __slots__ = ("example_at", "pairs", "terms")

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.pairs = 0
        self.example_at = 0.0


class Pair:
    """The answers to one request, as they come: the client's, the candidate's, maybe the current model's."""

    __slots__ = (
        "_candidate",
        "_client",
        "_comparer",
        "_noise",
        "_noise_counts",
        "_open",
        "_too_large",
        "_waiting",
        "about",
        "bucket",
    )

    def __init__(
        self, comparer: Comparer, open_: Open, bucket: int, about: tuple[bytes, bytes, bytes]
    ) -> None:
        """``about``: the request's method, target and id."""
        self._comparer = comparer
        self._open = open_
        self.bucket = bucket
        self.about = about
        self._client: Answer | None = None
        self._candidate: Answer | None = None
        self._noise: Answer | None = None
        self._noise_counts = True
        self._waiting = 2
        self._too_large = False
        open_.pairs += 1

    @property
    def largest(self) -> int:
        """Bodies above this size are not compared."""
        return self._open.terms.largest

    def expect_noise(self) -> None:
        """One more answer is awaited."""
        self._waiting += 1

    def forget_noise(self) -> None:
        """The client was answered by another backend than the one that was asked a second time."""
        self._noise_counts = False

    def too_large(self) -> None:
        """One of the answers is larger than what is compared, and is not kept."""
        self._too_large = True

    def client_answered(self, answer: Answer | None) -> None:
        """The client has its answer, or (None) has none."""
        self._client = answer
        self._arrived()

    def answered(self, kind: str, answer: Answer | None) -> None:
        """A copy's answer; None where the copy was not sent, or nobody waited for it to the end."""
        if kind == NOISE:
            self._noise = answer
        else:
            self._candidate = answer
        self._arrived()

    def _arrived(self) -> None:
        self._waiting -= 1
        if self._waiting:
            return
        if self._client is None:
            self._give_up("no_client_answer")
        elif self._candidate is None:
            self._give_up("not_sent")
        elif self._too_large:
            self._give_up("too_large")
        else:
            self._comparer.wait(self)

    def _give_up(self, why: str) -> None:
        self._open.pairs -= 1
        self._open.terms.counts.uncompared[why] += 1

    def comparing(self, ledger: Ledger, now: float) -> Steps[None]:
        """Compare, count, and maybe keep an example, in steps; ``now`` is unix seconds."""
        client, candidate = self._client, self._candidate
        assert client is not None
        assert candidate is not None
        open_, terms = self._open, self._open.terms
        found = yield from comparing(client, candidate, terms.rules)
        noise = None
        if self._noise is not None and self._noise_counts:
            noise = yield from comparing(client, self._noise, terms.rules)
        _count(terms.counts, CANDIDATE, found)
        if noise is not None:
            _count(terms.counts, NOISE, noise)
        ledger.add(terms.place, self.bucket, found, noise)
        if found.differs and now >= open_.example_at and ledger.wants_example(terms.place):
            open_.example_at = now + EXAMPLE_SECONDS
            method, target, request_id = (part.decode("latin-1") for part in self.about)
            # Without the query, which may hold a unit, or a secret.
            about = {"at": now, "method": method, "path": target.partition("?")[0], "request_id": request_id}
            example = yield from making_example(client, candidate, terms.rules, terms.redacted)
            ledger.add_example(terms.place, about | example)
        open_.pairs -= 1


def _count(counts: ShadowCounts, kind: str, found: Compared) -> None:
    counts.pairs[f"{kind}:{'differ' if found.differs else 'same'}"] += 1


class Later(Protocol):
    """An event loop, as far as it is needed."""

    def call_later(self, delay: float, callback: Callable[[], object], /) -> object: ...


class Comparer:
    """The pairs that wait to be compared, and the time that this may take."""

    def __init__(
        self,
        ledger: Ledger,
        loop: Later,
        clock: Callable[[], float],
        timer: Callable[[], float] = perf_counter,
    ) -> None:
        """``clock`` gives unix seconds, ``timer`` seconds from anywhere."""
        self._timer = timer
        self._ledger = ledger
        self._loop = loop
        self._clock = clock
        self._waiting: deque[Pair] = deque()
        # The pair for which the last slice was too short.
        self._begun: Steps[None] | None = None
        self._scheduled = False
        # When the time that was used has been rested for.
        self._rested = 0.0

    def wait(self, pair: Pair) -> None:
        """Compare this pair when there is time."""
        self._waiting.append(pair)
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        self._loop.call_later(max(self._rested - self._timer(), _SHORTEST_REST), self._use_a_slice)

    def _use_a_slice(self) -> None:
        self._scheduled = False
        began = now = self._timer()
        wall = self._clock()
        while (self._waiting or self._begun is not None) and now - began < SLICE:
            steps = self._begun
            if steps is None:
                steps = self._begun = self._waiting.popleft().comparing(self._ledger, wall)
            try:
                next(steps)
            except StopIteration:
                self._begun = None
            now = self._timer()
        self._rested = now + (now - began) * (1 / SHARE - 1)
        if self._waiting or self._begun is not None:
            self._schedule()
