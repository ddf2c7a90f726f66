"""Which requests are copied, and when is that seen to?

A request of a route with shadows becomes an exchange of a class of its own, so that all others pay nothing.
"""

from __future__ import annotations

from random import getrandbits
from typing import TYPE_CHECKING, cast

from policies.assignment import BUCKETS
from router.data.copied import Copied, Owed
from router.data.exchange import Exchange
from router.data.shadow_starts import Pace
from router.data.shadow_targets import UNPAIRED, Target
from router.data.wire import CRLF
from router.token import UNIDENTIFIED

if TYPE_CHECKING:
    from router.data.upstream import BackendConnection

_BUCKET_BITS = BUCKETS.bit_length() - 1


class Mirroring(Exchange):
    """An exchange whose answer is compared, or whose request is still to be copied."""

    __slots__ = ()

    def send(self, connection: BackendConnection) -> None:
        """Send the request; then, where all of it is here, see to its copies."""
        super().send(connection)
        if self.copied.waiting:
            self.see_to_copies(connection, self.client.plane.last_written)

    def see_to_copies(self, connection: BackendConnection, data: bytes) -> None:
        """The request, or its beginning, was written to this connection as ``data``."""
        copied = self.copied
        copied.served_by = connection.pool.name
        copied.head, rest = self.sent_as(connection, data)
        if self.complete:
            self._copy(self._without_own(bytes(rest)) if self.odd else rest)
        else:
            lines = bytes(rest)
            copied.lines = self._without_own(lines[: lines.index(b"\r\n\r\n") + 4])

    def push(self) -> None:
        """Pass on more of the body; with its end, see to the copies."""
        super().push()
        copied = self.copied
        # Without a connection nothing of it was passed on: `send` will see to the copies.
        if not (copied.waiting and self.complete and self.connection is not None):
            return
        if not self._held:
            copied.skip("body")
            return
        parts = [copied.lines]
        if self.chunked:
            self._frame(parts, self.body)
        else:
            parts += self.body
        self._copy(b"".join(parts))

    def _copy(self, rest: bytes | memoryview) -> None:
        copied = self.copied
        copied.waiting = False
        copied.rest = rest
        copied.size = self.received
        if self.head_only:
            copied.head_only = True
        copied.about = self.method, self.target, self.request_id
        copied.starting = True
        self.client.plane.shadows.starts.start_soon(self, copied.pace)

    def _without_own(self, lines: bytes) -> bytes:
        """The head without the token that came with it, which credits a client, and without what is done."""
        head = self.head
        # Whole lines: what another header says may end with the same text.
        lines = CRLF + lines
        for at in range(0, len(head), 4):
            if head[at] == b"x-turnout-token":
                lines = lines.replace(CRLF + b"".join(head[at : at + 4]), CRLF, 1)
        if self.expects:
            lines = lines.replace(b"\r\nexpect: 100-continue\r\n", CRLF, 1)
        return lines[len(CRLF) :]

    # -- the client's answer -------------------------------------------------------------------------------

    def answer_head(self, status: int, head: list[bytes], length: bytes | None, *, has_body: bool) -> None:
        """The answer has begun; a request that is not whole by now is not copied."""
        super().answer_head(status, head, length, has_body=has_body)
        copied = self.copied
        copied.mark = len(self.out)
        if copied.waiting:
            copied.skip("upload")

    def flush_answer(self) -> None:
        """Write what has come; and keep the body's part of it."""
        copied = self.copied
        if (copied.pairs or copied.starting) and self.out:
            copied.take(self)
        super().flush_answer()

    def _end(self, status: int) -> None:
        super()._end(status)
        copied = self.copied
        if copied.waiting:
            copied.skip("upload" if self._sent else "refused")
        if copied.pairs:
            # The answer is still to be written, and nobody waits for this.
            self.client.plane.shadows.starts.settle_soon(self)


# By what an exchange would be without shadows, what it is with them.
_mirroring: dict[type[Exchange], type[Mirroring]] = {Exchange: Mirroring}


def _class_of(plain: type[Exchange]) -> type[Mirroring]:
    found = _mirroring.get(plain)
    if found is None:
        found = type(f"Mirroring{plain.__name__}", (Mirroring, plain), {"__slots__": ()})
        _mirroring[plain] = found
    return found


class Mirror:
    """The shadows of one route."""

    __slots__ = ("_all_wanted", "_only", "_pace", "_targets", "_uncompared")

    def __init__(self, targets: tuple[Target, ...]) -> None:
        self._targets = targets
        self._pace = Pace()
        self._all_wanted = all(target.shadow.share >= 1 for target in targets)
        # The usual: one shadow, which gets everything; and what is owed where it is not compared, and why.
        self._only = targets[0] if len(targets) == 1 and self._all_wanted else None
        self._uncompared: dict[str, Owed] = {why: ((targets[0], why),) for why in UNPAIRED}

    def follow(self, exchange: Exchange, connection: BackendConnection | None, data: bytes) -> None:
        """See to the copies of a request that was sent there as ``data``, or still waits for a connection.

        Where there is much traffic most requests are here whole, and their answers are compared with none:
        their copies are sent, and nothing more is asked of them. Others become exchanges of another class.
        """
        owed: Owed
        if self._only is not None:
            why = self._only.unpaired()
            owed = self._uncompared[why] if why else ((self._only, why),)
            compared = not why
        else:
            targets = self._targets
            if not self._all_wanted:
                place = _place(exchange)
                targets = tuple([target for target in targets if target.wants(place)])
                if not targets:
                    return
            owed = [(target, target.unpaired()) for target in targets]
            compared = not all(why for _, why in owed)
        if (
            compared
            or connection is None
            or not exchange.complete
            or exchange.odd
            or exchange.head_only
            or exchange.over
            or not exchange.client.plane.shadows.starts.busy
        ):
            self._follow_on(exchange, owed, connection, data)
            return
        head, rest = exchange.sent_as(connection, data)
        for target, why in owed:
            target.copy(head, rest, exchange.received, why)

    def _follow_on(
        self, exchange: Exchange, owed: Owed, connection: BackendConnection | None, data: bytes
    ) -> None:
        place = _place(exchange)
        bucket = getrandbits(_BUCKET_BITS) if place is None else place % BUCKETS
        plain = type(exchange)
        copied = Copied(owed, bucket, plain, self._pace)
        if exchange.upgrade is not None:
            copied.skip("upgrade")
            return
        if exchange.over:
            copied.skip("refused")
            return
        exchange.copied = copied
        exchange.__class__ = _class_of(plain)
        if connection is not None:
            cast(Mirroring, exchange).see_to_copies(connection, data)


def _place(exchange: Exchange) -> int | None:
    """The place of the request's unit; None where it has none of its own."""
    unknown = exchange._slot is None or exchange._flags & UNIDENTIFIED
    return None if unknown else exchange._place
