"""What becomes of one copy of a request, from the pool to its answer's end?

A copy is nobody's: whatever happens to it, nobody waits, and no client, deadline or account but its own hears
of it.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from policies.shadow.compare import NO_ANSWER, Answer
from router.data.answers import Refusal
from router.data.pool import Address, Pool
from router.data.shadow_pairs import CANDIDATE, Pair

if TYPE_CHECKING:
    from router.data.mirroring import Copied
    from router.data.shadow_targets import Nobody, Target
    from router.data.upstream import BackendConnection

FOREVER = float("inf")
# Shorter requests are joined into one piece; longer ones share the bytes that their originals were sent as.
JOINED = 16 * 1024


class Copy:
    """A copy: what a pool and a backend's connection carry (`router.data.carried.Carried`)."""

    # Of most copies these stay as they are: defaults of the class cost nothing.
    chunk_answer = False
    tunnel = False
    sent_all = True
    upgrade: bytes | None = None
    deadline = FOREVER
    arrived = 0.0
    head_only = False
    answering = False
    over = False
    _connection: BackendConnection | None = None
    _sent = 0.0
    _status = 0
    _parts: list[bytes] | None = None
    _size = 0

    def __init__(self, target: Target, pool: Pool, kind: str, original: Copied, pair: Pair | None) -> None:
        self._target = target
        self._pool = pool
        self.kind = kind
        self._head = original.head
        self._rest = original.rest
        self._pair = pair
        self.out: list[bytes] = []
        if original.head_only:
            self.head_only = True

    @property
    def client(self) -> Nobody:
        """Who reads the answer."""
        return self._target.nobody

    # -- the pool's answers --------------------------------------------------------------------------------

    def send(self, connection: BackendConnection) -> None:
        """A connection that is this copy's own until it ends."""
        target = self._target
        if not self._sent:
            target.count(self.kind, "sent")
        self._connection = connection
        connection.exchange = self
        self.deadline = target.clock.now + target.timeout
        head, rest = self._head + connection.address.request_tail, self._rest
        self._sent = self.arrived = perf_counter()
        try:
            if type(rest) is bytes:
                connection.transport.write(head + rest)
            else:
                connection.transport.writelines((head, rest))
        except RuntimeError:
            return  # it was closed in the meantime; its protocol hears of that by itself

    def refuse(self, refusal: Refusal) -> None:
        """No connection is free."""
        self._drop("dropped:no_connection")

    def unreachable(self, address: Address, refusal: Refusal) -> None:
        """No connection could be made."""
        self._drop("dropped:unreachable")

    def _drop(self, why: str) -> None:
        if self.over:
            return
        if self._sent:
            self._finish("failed", Answer(NO_ANSWER))
            return
        target = self._target
        target.count(self.kind, why)
        if self.kind == CANDIDATE:
            target.answered(well=False)
        self._finish(None, None)

    # -- the connection's ----------------------------------------------------------------------------------

    def interim(self, status: int, head: list[bytes]) -> None:
        """A 1xx answer: the final one follows."""

    def switch(self, head: list[bytes], protocol: bytes) -> None:
        """101: nobody asked for it."""
        raise ValueError("a copy asks for no upgrade")

    def answer_head(self, status: int, head: list[bytes], length: bytes | None, *, has_body: bool) -> None:
        """The head of the final answer."""
        self.answering = True
        self._status = status

    def flush_answer(self) -> None:
        """Keep what came since the last read if it is to be compared; else it is gone."""
        out = self.out
        if not out:
            return
        self.out = []
        pair = self._pair
        if pair is None or self._size > pair.largest:
            return
        self._size += sum(map(len, out))
        if self._size > pair.largest:
            self._parts = None
            pair.too_large()
        elif self._parts is None:
            self._parts = out
        else:
            self._parts += out

    def answer_end(self) -> None:
        """The answer is complete."""
        if self.over:
            return
        self._connection = None
        if self._pair is None:
            self._finish("answered", None)
            return
        self.flush_answer()
        parts = self._parts
        body = b"" if parts is None else parts[0] if len(parts) == 1 else b"".join(parts)
        self._finish("answered", Answer(self._status, body, self.arrived - self._sent))

    def broken(self, address: Address, refusal: Refusal, *, sent: bool, begun: bool) -> None:
        """The connection failed."""
        connection, self._connection = self._connection, None
        if self.over:
            return
        stale = connection is not None and connection.idle_since > 0
        if stale and not begun and not self.answering and self.arrived == self._sent:
            # It had been idle, and was closed just then: that says nothing about the answer.
            self._pool.acquire(self, fresh=True, avoid=address)
        else:
            self._finish("failed", Answer(NO_ANSWER))

    def expire(self) -> None:
        """Nobody waits any longer."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon(failed=True)
        self._finish("timeout", Answer(NO_ANSWER))

    def _finish(self, how: str | None, answer: Answer | None) -> None:
        self.over = True
        target, pair = self._target, self._pair
        target.flying.discard(self)
        if how is not None and self.kind == CANDIDATE:
            target.counts.answers[how] += 1
            target.answered(well=how == "answered")
        if pair is not None:
            self._pair = None
            pair.answered(self.kind, answer)
