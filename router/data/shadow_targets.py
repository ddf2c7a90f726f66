"""How many copies does one shadow get, of which requests, and which of them are compared?"""

from __future__ import annotations

from collections.abc import Mapping
from random import getrandbits, random
from typing import TYPE_CHECKING

from router.data.pool import Clock
from router.data.shadow_copies import Copy, PairedCopy
from router.data.shadow_pairs import CANDIDATE, NOISE, Comparer, Open, Pair, Terms
from router.data.shadow_pool import CopyPool
from router.settings import Backend, Shadow
from router.worker_totals import ShadowCounts

if TYPE_CHECKING:
    from router.data.carried import Turning
    from router.data.copied import Copied

About = tuple[Shadow, Backend, Mapping[str, Backend], str]
"""A shadow, its backend, those that may have answered the client, and the generation of its pairs."""

# After so many failures in a row a shadow gets no copies for so many seconds: connections that fail are the
# dearest thing that a shadow can ask for.
FAILURES_BEFORE_REST = 5
REST = 1.0
# Why an answer may not be compared that could be.
UNPAIRED = ("share", "budget")
MARK = b"x-turnout-shadow: 1\r\n"
# Of a unit's place, bits that neither its bucket nor its position uses.
_SHARE_SHIFT, _SHARE_BITS = 10, 32


class Nobody:
    """Who reads the answer to a copy."""

    __slots__ = ("nothing", "plane")

    def __init__(self, plane: Turning) -> None:
        self.plane = plane
        # What is kept of answers that nobody compares.
        self.nothing: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Drop it."""

    def hold_reading(self) -> None:
        """There is nothing to hold back: a copy is written whole."""

    def resume_reading(self) -> None:
        """Nothing was held back."""


class Target:
    """One shadow in one worker: its pools, its copies in flight, and what is counted of them."""

    def __init__(
        self,
        about: About,
        pool: CopyPool,
        noise: Mapping[str, CopyPool],
        terms: Terms,
        comparer: Comparer,
        clock: Clock,
        nobody: Nobody,
    ) -> None:
        """``noise``: pools of its own to each backend that may have answered the client, by name."""
        self.about = about
        self.shadow = shadow = about[0]
        self.pool = pool
        self.noise = noise
        self.pools = (pool, *noise.values())
        self.terms = terms
        self.counts: ShadowCounts = terms.counts
        self.clock = clock
        self.nobody = nobody
        self.timeout = float(shadow.timeout)
        self.flying: set[Copy] = set()
        self._comparer = comparer
        self._open = Open(terms)
        self._least: int = round(shadow.share * 2**_SHARE_BITS)
        self.failures = 0
        self._rests_until = 0.0
        self._retired = False
        self._numbers = range(shadow.multiply)
        self._most = shadow.max_in_flight
        self._most_pairs = terms.most
        self._paired_share = shadow.compare.share
        self._largest = int(shadow.max_body)
        self._rate = shadow.rate
        self._allowance = 1.0 if shadow.rate is None else max(1.0, shadow.rate)
        self._allowed_at = clock.now
        for own in self.pools:
            for address in own.addresses:
                address.request_tail += MARK

    def wants(self, place: int | None) -> bool:
        """Whether this request is in the share: by its unit's place where there is one."""
        if self.shadow.share >= 1.0:
            return True
        if place is None:
            return getrandbits(_SHARE_BITS) < self._least
        return place >> _SHARE_SHIFT & (1 << _SHARE_BITS) - 1 < self._least

    def count(self, kind: str, what: str) -> None:
        """Something became of a copy."""
        (self.counts.copies if kind == CANDIDATE else self.counts.noise)[what] += 1

    def answered(self, *, well: bool) -> None:
        """A copy had an answer, or none in time, or none at all."""
        if well:
            self.failures = 0
            return
        self.failures += 1
        if self.failures >= FAILURES_BEFORE_REST:
            self._rests_until = self.clock.now + REST

    def skip(self, why: str) -> None:
        """A request is not copied, by a rule."""
        self.counts.copies[f"skipped:{why}"] += self.shadow.multiply

    def unpaired(self) -> str:
        """Why the answer to the next copy will not be compared; empty where it will."""
        if self._paired_share < 1.0 and random() >= self._paired_share:
            return "share"
        return "budget" if self._open.pairs >= self._most_pairs else ""

    def copy(
        self,
        head: bytes,
        rest: bytes | memoryview,
        size: int,
        why: str,
        *,
        head_only: bool = False,
        original: Copied | None = None,
    ) -> Pair | None:
        """Send the copies of a request of ``size`` bytes; the pair, where its answer is to be compared.

        ``head``, ``rest``: as a `Copy` has them. ``why`` it is not compared; empty where it is, and then
        ``original`` is what else is known of the request.
        """
        if self._retired:
            self.skip("retired")
            return None
        if size > self._largest:
            self.skip("body")
            return None
        if self._rests_until > self.clock.now:
            self.counts.copies["dropped:resting"] += self.shadow.multiply
            return None
        pair = None
        for number in self._numbers:
            if self._rate is not None and not self._within_rate():
                self.counts.copies["skipped:rate"] += 1
            elif len(self.flying) >= self._most:
                self.counts.copies["dropped:in_flight"] += 1
            elif number or why or original is None or self._open.pairs >= self._most_pairs:
                copy = Copy(self, self.pool, head, rest, head_only)
                self.flying.add(copy)
                self.pool.acquire(copy)
                if not number:
                    self.counts.uncompared[why or "budget"] += 1
            else:
                pair = Pair(self._comparer, self._open, original.bucket, original.about)
                self._send_paired(self.pool, CANDIDATE, original, pair)
                self._ask_again(original, pair)
        return pair

    def _ask_again(self, original: Copied, pair: Pair) -> None:
        """Send the request to whoever answers the client a second time, for some of the pairs."""
        pool = self.noise.get(original.served_by)
        if pool is None or random() >= self.shadow.noise:
            return
        if len(self.flying) >= self._most:
            self.counts.noise["dropped:in_flight"] += 1
        else:
            pair.expect_noise()
            self._send_paired(pool, NOISE, original, pair)

    def _send_paired(self, pool: CopyPool, kind: str, original: Copied, pair: Pair) -> None:
        copy = PairedCopy(
            self, pool, original.head, original.rest, head_only=original.head_only, kind=kind, pair=pair
        )
        self.flying.add(copy)
        pool.acquire(copy)

    def _within_rate(self) -> bool:
        assert self._rate is not None
        now = self.clock.now
        self._allowance += (now - self._allowed_at) * self._rate
        self._allowed_at = now
        self._allowance = min(self._allowance, max(1.0, self._rate))
        if self._allowance < 1.0:
            return False
        self._allowance -= 1.0
        return True

    def sweep(self) -> None:
        """End the copies whose time is over, and close connections that have been idle for too long."""
        now = self.clock.now
        for copy in [copy for copy in self.flying if copy.deadline < now]:
            copy.expire()
        for pool in self.pools:
            pool.sweep()

    def retire(self) -> None:
        """No snapshot uses this shadow any more; what is in flight ends by itself, or is swept.

        A request that is under way may still owe it copies, and gets none: nobody would end them in time.
        """
        self._retired = True
        for pool in self.pools:
            pool.retire()

    @property
    def open_pairs(self) -> int:
        """How many pairs await an answer, or to be compared."""
        return self._open.pairs

    def give_up(self) -> None:
        """End what is in flight."""
        for copy in list(self.flying):
            copy.give_up()

    @property
    def ended(self) -> bool:
        """Whether a retired shadow has nothing left: no copy, and no connection."""
        return not self.flying and not any(address.open for pool in self.pools for address in pool.addresses)
