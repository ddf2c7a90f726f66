"""What is an answer's head, when the very same bytes have been read before?

A backend's answers have few heads: often only their date changes, once a second. What the parser made of one
is remembered, so that an answer that comes whole and with the same head need not be parsed again: the same
bytes mean the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from router.data.pool import Clock

HEAD_END: Final = b"\r\n\r\n"
# Of one backend; and no longer ones.
MOST: Final = 128
LONGEST: Final = 4096
# Heads that have not come so often each, on average, were not worth being remembered: no more for a while.
_WORTH = 2
_PAUSE = 10.0


class KnownHead:
    """What the parser made of a head; of an answer with a length, on a connection that goes on."""

    __slots__ = ("lines", "size", "status")

    def __init__(self, status: int, size: int, lines: bytes) -> None:
        """``size``: of the answer, head and body; ``lines``: what a client gets, before lines of our own."""
        self.status = status
        self.size = size
        self.lines = lines


class Heads:
    """The heads of one backend's answers, by their bytes."""

    __slots__ = ("_clock", "_paused_until", "hits", "known")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._paused_until = 0.0
        self.known: dict[bytes, KnownHead] = {}
        # How often one of them came again.
        self.hits = 0

    @property
    def learning(self) -> bool:
        """Whether new ones are remembered."""
        return self._clock.now >= self._paused_until

    def learn(self, head: bytes, known: KnownHead) -> None:
        """Remember one; too many are all forgotten, and for a while no more learnt if they were of no use."""
        if len(self.known) >= MOST:
            if self.hits < _WORTH * MOST:
                self._paused_until = self._clock.now + _PAUSE
            self.known = {}
            self.hits = 0
        self.known[head] = known
