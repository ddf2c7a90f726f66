"""What is copied of one request, and what is kept of its answer?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from policies.shadow.compare import Answer
from router.data.shadow_pairs import Pair
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
    ended = False
    starting = False
    """Whether copies are about to start, so that the answer, which may come first, is to be kept."""
    head: bytes
    rest: bytes | memoryview
    """Method and target, and all that follows the Host header."""
    lines: bytes
    about: tuple[bytes, bytes, bytes]
    size = 0
    head_only = False
    served_by = answered_by = ""
    """Whom the request was sent to when it was copied, and who answered the client."""
    pairs: Sequence[Pair] = ()
    last: list[bytes] | None = None
    chunked = False
    """What was written of the answer since it was last kept, when it is complete, and whether in chunks."""
    status = 0
    seconds = 0.0
    parts: list[bytes] | None = None
    """The body of the client's answer so far; where its next part begins in what is written; its size."""
    mark = 0
    kept = 0

    def __init__(self, targets: Owed, bucket: int, plain: type[Exchange]) -> None:
        """``plain``: the class that the exchange would be of without shadows."""
        self.targets = targets
        self.bucket = bucket
        self.plain = plain

    def start(self) -> None:
        """Send the copies."""
        self.starting = False
        for target, why in self.targets:
            pair = target.copy(self.head, self.rest, self.size, why, head_only=self.head_only, original=self)
            if pair is not None:
                self.pairs = (*self.pairs, pair)
        if self.ended:
            self.settle()

    def skip(self, why: str) -> None:
        """There will be no copies."""
        self.waiting = False
        for target, _ in self.targets:
            target.skip(why)

    def take(self, out: list[bytes], *, chunked: bool) -> None:
        """Keep what there is of the answer's body, while it can still be compared."""
        most = max([target.terms.largest for target, _ in self.targets])
        if self.kept <= most:
            # In chunks each part stands between its size and a line end.
            parts = out[self.mark + 1 :: 3] if chunked else out[self.mark :]
            self.kept += sum(map(len, parts))
            if self.kept > most:
                self.parts = []
            elif self.parts:
                self.parts += parts
            else:
                self.parts = parts
        self.mark = 0

    def settle(self) -> None:
        """The client's exchange is over: all pairs hear what it was answered, or that it was not."""
        answer = None
        if self.last is not None:
            self.take(self.last, chunked=self.chunked)
            parts = self.parts or []
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            answer = Answer(self.status, body, self.seconds)
        for pair in self.pairs:
            if self.kept > pair.largest:
                pair.too_large()
            if self.answered_by != self.served_by:
                pair.forget_noise()
            pair.client_answered(answer)
        self.pairs = ()
