"""What becomes of one copy of a request, from the pool to its answer's end?

A copy is nobody's: whatever happens to it, nobody waits, and no client, deadline or account but its own hears
of it.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, ClassVar, Final

from policies.shadow.compare import NO_ANSWER, Answer
from router.data.answers import Refusal
from router.data.pool import Address
from router.data.shadow_pairs import CANDIDATE, Pair

if TYPE_CHECKING:
    from router.data.heads import KnownHead
    from router.data.shadow_pool import CopyPool
    from router.data.shadow_targets import Nobody, Target
    from router.data.upstream import BackendConnection

FOREVER = float("inf")


class Copy:
    """A copy whose answer is read, and dropped (`router.data.carried.Carried`)."""

    __slots__ = (
        "_connection",
        "_head",
        "_pool",
        "_rest",
        "_target",
        "answering",
        "arrived",
        "deadline",
        "head_only",
        "out",
        "over",
        "sent",
        "status",
    )

    chunk_answer: Final = False
    kept: ClassVar[bool] = False
    """Whether the answer's body is."""
    takes_whole: Final = True
    tunnel: Final = False
    sent_all: Final = True
    upgrade: Final[bytes | None] = None

    def __init__(
        self, target: Target, pool: CopyPool, head: bytes, rest: bytes | memoryview, head_only: bool
    ) -> None:
        """``head`` is the method and the target, ``rest`` all that follows the Host header."""
        self._target = target
        self._pool = pool
        self._head = head
        self._rest = rest
        self.head_only = head_only
        self.out = target.nobody.nothing
        self.answering = self.over = False
        self.status = 0
        self.deadline = FOREVER
        self.sent = self.arrived = 0.0
        self._connection: BackendConnection | None = None

    @property
    def client(self) -> Nobody:
        """Who reads the answer."""
        return self._target.nobody

    # -- the pool's answers --------------------------------------------------------------------------------

    def send(self, connection: BackendConnection) -> None:
        """A connection that is this copy's own until it ends."""
        target = self._target
        if not self.sent:
            self._count("sent")
        self._connection = connection
        connection.exchange = self
        self.deadline = target.clock.now + target.timeout
        head, rest = self._head + connection.address.request_tail, self._rest
        self.sent = self.arrived = perf_counter()
        try:
            if type(rest) is bytes:
                connection.transport.write(head + rest)
            else:
                connection.transport.writelines((head, rest))
        except RuntimeError:
            return  # it was closed in the meantime; its protocol hears of that by itself

    def refuse(self, refusal: Refusal) -> None:
        """No connection is free: that is our own bound, and no failure of the shadow."""
        self._drop("dropped:no_connection")

    def unreachable(self, address: Address, refusal: Refusal) -> None:
        """No connection could be made."""
        if not (self.over or self.sent):
            self._failed()
        self._drop("dropped:unreachable")

    def _drop(self, why: str) -> None:
        if self.over:
            return
        if self.sent:
            self._finish("failed")
            return
        self._count(why)
        self._end(None)

    # -- the connection's ----------------------------------------------------------------------------------

    def interim(self, status: int, head: list[bytes]) -> None:
        """A 1xx answer: the final one follows."""

    def switch(self, head: list[bytes], protocol: bytes) -> None:
        """101: nobody asked for it."""
        raise ValueError("a copy asks for no upgrade")

    def answer_head(self, status: int, head: list[bytes], length: bytes | None, *, has_body: bool) -> None:
        """The head of the final answer."""
        self.answering = True
        self.status = status

    def flush_answer(self) -> None:
        """Nothing of it is kept."""

    def answer_whole(self, known: KnownHead, body: bytes) -> None:
        """The whole answer."""
        self.answer_end()

    def answer_end(self) -> None:
        """The answer is complete."""
        if self.over:
            return
        # As `_finish` does, in one step: this is the end of nearly all copies.
        self.over = True
        self._connection = None
        target = self._target
        target.flying.discard(self)
        target.failures = 0
        target.counts.answers["answered"] += 1

    def broken(self, address: Address, refusal: Refusal, *, sent: bool, begun: bool) -> None:
        """The connection failed."""
        connection, self._connection = self._connection, None
        if self.over:
            return
        stale = connection is not None and connection.idle_since > 0
        if stale and not begun and not self.answering and self.arrived == self.sent:
            # It had been idle, and was closed just then: that says nothing about the answer.
            self._pool.acquire(self, fresh=True, avoid=address)
        else:
            self._finish("failed")

    def expire(self) -> None:
        """Nobody waits any longer."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon(failed=True)
        self._finish("timeout")

    def give_up(self) -> None:
        """The worker ends: whatever the answer would have been, that is not the shadow's doing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon(failed=False)
        if self.sent:
            self._given_up()
        else:
            self._count("dropped:no_connection")
        self._end(None)

    # -- what it comes to ----------------------------------------------------------------------------------

    def _count(self, what: str) -> None:
        self._target.counts.copies[what] += 1

    def _given_up(self) -> None:
        self._target.counts.answers["timeout"] += 1

    def _failed(self) -> None:
        """The shadow could not be reached."""
        self._target.answered(well=False)

    def _finish(self, how: str) -> None:
        """It was sent."""
        target = self._target
        target.counts.answers[how] += 1
        target.answered(well=how == "answered")
        self._end(how)

    def _end(self, how: str | None) -> None:
        """``how`` it was answered; None where it was not sent, or given up."""
        self.over = True
        self._target.flying.discard(self)


class PairedCopy(Copy):
    """A copy whose answer is kept as far as it is compared."""

    __slots__ = ("_kind", "_pair", "_parts", "_size")

    kept: ClassVar[bool] = True

    def __init__(
        self,
        target: Target,
        pool: CopyPool,
        head: bytes,
        rest: bytes | memoryview,
        *,
        head_only: bool,
        kind: str,
        pair: Pair,
    ) -> None:
        super().__init__(target, pool, head, rest, head_only)
        self.out = []
        self._kind = kind
        self._pair = pair
        self._parts: list[bytes] = []
        self._size = 0

    def answer_whole(self, known: KnownHead, body: bytes) -> None:
        """The whole answer."""
        self.status = known.status
        self.out.append(body)
        self.answer_end()

    def flush_answer(self) -> None:
        """Keep what came since the last read."""
        out = self.out
        if not out:
            return
        self.out = []
        largest = self._pair.largest
        if self._size > largest:
            return
        self._size += sum(map(len, out))
        self._parts += out
        if self._size > largest:
            self._parts = []
            self._pair.too_large()

    def answer_end(self) -> None:
        """The answer is complete."""
        if self.over:
            return
        self.flush_answer()
        self._connection = None
        self._finish("answered")

    def _count(self, what: str) -> None:
        self._target.count(self._kind, what)

    def _given_up(self) -> None:
        if self._kind == CANDIDATE:
            Copy._given_up(self)

    def _failed(self) -> None:
        if self._kind == CANDIDATE:
            Copy._failed(self)

    def _finish(self, how: str) -> None:
        if self._kind == CANDIDATE:
            Copy._finish(self, how)
        else:
            self._end(how)

    def _end(self, how: str | None) -> None:
        Copy._end(self, how)
        answer = None
        if how == "answered":
            parts = self._parts
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            answer = Answer(self.status, body, self.arrived - self.sent)
        elif how is not None:
            answer = Answer(NO_ANSWER)
        self._pair.answered(self._kind, answer)
