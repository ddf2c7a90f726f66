"""When do copies start, and when do pairs hear that their client has been answered?

Where there is little traffic, when the client has been answered: before that a copy would wake processors
that the answer may need. Where there is much they are awake, and a copy is cheapest right behind its request.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from router.data.exchange import Exchange
    from router.data.shadowing import Host

# From so many requests with shadows between two sweeps on there is much traffic: one in a millisecond.
MUCH: Final = 50
# How long a copy waits for its client's answer at most, in seconds, and at least.
LONGEST: Final = 0.1
_SHORTEST = 0.001
# How much longer is waited than answers took of late, and how much the last one counts for that.
_MARGIN = 1.25
_NEWEST = 1 / 8


class Pace:
    """How long the answers on one route take, in seconds."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = 0.0

    def learn(self, seconds: float) -> None:
        """One took so long."""
        self.seconds += (min(seconds, LONGEST) - self.seconds) * _NEWEST


class Starts:
    """The requests whose copies, and the pairs whose ends, are to be seen to."""

    def __init__(self, host: Host) -> None:
        self._host = host
        # Whether there is much traffic, and how much came since that was last asked.
        self.recent = 0
        self.busy = self.recent >= MUCH
        # Those whose copies start behind what this turn sends, that wait for answers, and that have them.
        self._soon: list[Exchange] = []
        self._waiting: set[Exchange] = set()
        self._over: list[Exchange] = []

    def start_soon(self, exchange: Exchange, pace: Pace) -> None:
        """Start the copies of a request whose kind take so long to be answered."""
        if not self.busy:
            self._waiting.add(exchange)
            first = min(max(pace.seconds * _MARGIN, _SHORTEST), LONGEST)
            self._look_later(exchange, pace, 0.0, first)
            return
        if not self._soon:
            self._host.call_soon(self._start_sent)
        self._soon.append(exchange)

    def settle_soon(self, exchange: Exchange) -> None:
        """The client has its answer, as soon as this turn's are sent: tell the pairs behind that."""
        if not self._over:
            self._host.call_soon(self._settle)
        self._over.append(exchange)

    def sweep(self) -> None:
        """See how much traffic there is."""
        self.busy = self.recent >= MUCH
        self.recent = 0

    def start_all(self) -> None:
        """Wait for nothing any more."""
        waiting, self._waiting = self._waiting, set()
        for exchange in waiting:
            _start(exchange)
        self._start_sent()
        self._settle()

    def _look_later(self, exchange: Exchange, pace: Pace, waited: float, more: float) -> None:
        self._host.call_later(more, partial(self._look, exchange, pace, waited + more))

    def _look(self, exchange: Exchange, pace: Pace, waited: float) -> None:
        """Start the copies of a request that is over, or that has waited long enough; the others wait on."""
        if exchange not in self._waiting:
            return
        if not exchange.over and waited < LONGEST:
            self._look_later(exchange, pace, waited, min(waited, LONGEST - waited) + _SHORTEST)
            return
        self._waiting.discard(exchange)
        pace.learn(exchange.arrived - exchange._sent if exchange.over else waited)
        _start(exchange)

    def _start_sent(self) -> None:
        soon, self._soon = self._soon, []
        for exchange in soon:
            _start(exchange)

    def _settle(self) -> None:
        over, self._over = self._over, []
        for exchange in over:
            exchange.copied.settle(exchange)


def _start(exchange: Exchange) -> None:
    copied = exchange.copied
    copied.start()
    if exchange.over:
        copied.settle(exchange)
    elif not copied.pairs:
        # Its answer, which may go on for long, is nobody's but the client's.
        exchange.__class__ = copied.plain
        del exchange.copied
