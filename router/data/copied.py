"""What is copied of one request, and what is kept of its answer?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from policies.shadow.compare import Answer
from router.data.shadow_pairs import Pair
from router.data.shadow_starts import Pace
from router.data.shadow_targets import Target

if TYPE_CHECKING:
    from router.data.exchange import Exchange

Owed = Sequence[tuple[Target, str]]
"""The shadows that get copies of a request, and why its answer is not compared with theirs, if it is not."""


class Copied:
    """What is copied of one request, and the pairs that its answer will be compared in."""

    # Of most requests these are all that is ever known: defaults of the class cost nothing.
    waiting = True
    """Whether it is still to be seen if, and what, is copied."""
    starting = False
    """Whether copies are about to start: the answer, which may come first, is to be kept."""
    head: bytes
    rest: bytes | memoryview
    """Method and target, and all that follows the Host header."""
    lines: bytes
    about: tuple[bytes, bytes, bytes]
    size = 0
    head_only = False
    served_by = ""
    """Whom the request was sent to when it was copied."""
    pairs: Sequence[Pair] = ()
    parts: list[bytes] | None = None
    """The body of the client's answer so far; where its next part begins in what is written; its size."""
    mark = 0
    kept = 0

    def __init__(self, targets: Owed, bucket: int, plain: type[Exchange], pace: Pace) -> None:
        """``plain``: the class that the exchange would be of without shadows; ``pace``: its route's."""
        self.targets = targets
        self.bucket = bucket
        self.plain = plain
        self.pace = pace

    def start(self) -> None:
        """Send the copies."""
        self.starting = False
        for target, why in self.targets:
            pair = target.copy(self.head, self.rest, self.size, why, head_only=self.head_only, original=self)
            if pair is not None:
                self.pairs = (*self.pairs, pair)

    def skip(self, why: str) -> None:
        """There will be no copies."""
        self.waiting = False
        for target, _ in self.targets:
            target.skip(why)

    def take(self, exchange: Exchange) -> None:
        """Keep what there is of the answer's body, while it can still be compared."""
        most = max([target.terms.largest for target, _ in self.targets])
        if self.kept <= most:
            out = exchange.out
            if not exchange.answering:
                parts = out[-1:]  # an answer that came whole
            elif exchange.chunk_answer:
                parts = out[self.mark + 1 :: 3]  # each stands between its size and a line end
            else:
                parts = out[self.mark :]
            self.kept += sum(map(len, parts))
            if self.kept > most:
                self.parts = []
            elif self.parts:
                self.parts += parts
            else:
                self.parts = parts
        self.mark = 0

    def settle(self, exchange: Exchange) -> None:
        """The client's exchange is over: all pairs hear what it was answered, or that it was not."""
        if not self.pairs:
            return
        answer = None
        # An exchange that broke off has left its connection.
        connection = exchange.connection
        if connection is not None:
            self.take(exchange)
            parts = self.parts or []
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            answer = Answer(exchange._status, body, exchange.arrived - exchange._sent)
        for pair in self.pairs:
            if self.kept > pair.largest:
                pair.too_large()
            if connection is not None and connection.pool.name != self.served_by:
                pair.forget_noise()
            pair.client_answered(answer)
        self.pairs = ()
