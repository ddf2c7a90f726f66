"""What happens to one request, from its head to its record?

An exchange is the request's side of both connections: it picks the variant, asks the pool for a connection,
sends, relays what comes back, retries where that is safe, answers itself where no backend does, and records.
Nothing here waits: every step is a call from one of the two connections, the pool or the sweep.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from policies.assignment import assign, place
from router.data.answering import CLIENT_CLOSED
from router.data.answers import Refusal
from router.data.deciding import Deciding
from router.data.pool import Address
from router.data.request import FOREVER
from router.data.wire import CRLF, LAST_CHUNK, REPEATABLE
from router.token import FALLBACK

if TYPE_CHECKING:
    from router.data.trial import Slot
    from router.data.upstream import BackendConnection

_LARGEST_HELD = 1024 * 1024
# Longer requests are not copied to be sent a second time: their bytes are shared.
JOINED = 16 * 1024
# A backend that always closes, or speaks, before it is asked is not asked for ever.
_MOST_ATTEMPTS = 3
# The refusals that say that a backend did not serve, and did not begin to.
_UNSERVED = frozenset(
    (
        *("pool-full", "pool-timeout", "connect-failed", "connect-timeout"),
        *("backend-closed", "backend-protocol", "first-byte-timeout", "timeout"),
    )
)
# Where the status stands in an answer's first line.
_STATUS = slice(9, 12)


class Exchange(Deciding):
    """One request on its way: the half of an exchange that faces the backend."""

    __slots__ = ()

    # -- from the request to a connection -----------------------------------------------------------------

    def waits_for(self) -> int:
        """How many bytes of the body must be here before `begin`: what decides may stand in them."""
        entry = self.snapshot.entry(self.target.partition(b"?")[0])
        if entry is None:
            return 0
        if entry.local:
            return self.snapshot.limits.outcome_bytes
        reader = entry.trial or entry.admission
        return self.snapshot.limits.json_prefix if reader is not None and reader.needs_body else 0

    def begin(self) -> None:
        """Choose who answers, and ask for a connection to it."""
        if self.refusal is not None:
            self.refuse(self.refusal)
            return
        target = self.target
        path = target if b"?" not in target else target.partition(b"?")[0]
        entry = self.snapshot.remembered.get(path) or self.snapshot.entry(path)
        if entry is None:
            self.refuse(Refusal(404, "no-route", f"no route serves {path.decode('latin-1')}"))
            return
        self._entry = entry
        self.started = True
        self._started = perf_counter()
        pool = entry.pool
        if pool is None:
            self._answer_locally()
            return
        trial = entry.trial
        if trial is not None:
            if trial.needs_body:
                self.body += self.fresh
                self.fresh = []
            unit = trial.unit_of(self)
            if unit is None:
                unit = self._make_unit(trial)
            self._place = place(trial.bucket_prefix, unit)
            variant = None if self.force is None else self._forced(trial)
            if variant is None:
                variant = assign(trial.plan, unit).variant if trial.plain else self._choose(trial, unit)
            slot = self._slot = trial.slots[variant]
            pool = slot.pool
        elif entry.admission is not None:
            admitted = self._slot = self._admitted(entry.admission)
            if admitted is not None:
                pool = admitted.pool
        self._pool = pool
        pool.acquire(self)
        if entry.mirror is not None:
            self.client.plane.shadows.follow_soon(entry.mirror, self)

    def _answer_locally(self) -> None:
        """One of the service's own routes: not forwarded, in no experiment."""
        if not self.complete:
            limit = self.snapshot.limits.outcome_bytes
            self.refuse(Refusal(413, "body-too-large", f"the body is longer than {limit} bytes"))
            return
        self.local = True
        self.client.plane.answer_locally(self)

    def answered_locally(self, answer: bytes, *, close: bool) -> None:
        """The whole answer of one of the service's own routes."""
        if self.over:
            return
        self._end(int(answer[_STATUS]))
        self.client.write(answer)
        self.client.answered(self, close=close)

    # -- to the backend -----------------------------------------------------------------------------------

    def send(self, connection: BackendConnection) -> None:
        """The pool's answer: a connection that is this exchange's own until it ends."""
        self.connection = connection
        connection.exchange = self
        client = self.client
        plane = client.plane
        connection.turn = plane.turn
        if client.send_deadline != FOREVER:
            connection.transport.pause_reading()  # the client does not keep up with what it has been sent
        self._attempts += 1
        self._sent = self.arrived = perf_counter()
        pool = connection.pool
        # The whole takes its time from here; the beginning of the answer from the request's end.
        self.expires = plane.now + pool.timeout
        self.deadline = plane.now + pool.patience if self.complete else self.expires
        if not self.request_id:
            self.request_id = plane.new_request_id()
        parts = [
            self.method,
            b" ",
            self.target,
            connection.address.request_tail,
            *self.head,
            client.forwarded if self.host == client.forwarded_host else client.forwarded_lines(self.host),
            b"x-request-id: ",
            self.request_id,
            CRLF,
        ]
        if self.forwarded_for is not None:
            parts += (b"x-forwarded-for: ", self.forwarded_for, b", ", client.peer, CRLF)
        else:
            parts.append(client.forwarded_for)
        if self.upgrade is not None:
            parts += (b"connection: upgrade\r\nupgrade: ", self.upgrade, CRLF)
        if self.expects and not self.complete:
            parts.append(b"expect: 100-continue\r\n")

        self.sent_all = self.complete
        if self.fresh:
            self.body += self.fresh
            self.fresh = []
        if self.length is not None:
            parts += (b"content-length: ", self.length, b"\r\n\r\n", *self.body)
        elif self.chunked:
            parts.append(b"transfer-encoding: chunked\r\n\r\n")
            self._frame(parts, self.body)
        else:
            parts.append(CRLF)
        plane.write(connection.transport, b"".join(parts))
        if not self.complete:
            self._hold_or_let_go()
            client.resume_reading()

    def sent_as(self, connection: BackendConnection, data: bytes) -> tuple[bytes, bytes | memoryview]:
        """What `send` wrote to this connection, ``data``: up to the target, and behind the Host header."""
        head = self.method + b" " + self.target
        start = len(head) + len(connection.address.request_tail)
        return head, data[start:] if len(data) <= JOINED else memoryview(data)[start:]

    def push(self) -> None:
        """More of the body has come, or its end, while the exchange is under way."""
        connection = self.connection
        if connection is None or self.sent_all:
            return
        fresh, self.fresh = self.fresh, []
        self.sent_all = self.complete
        if self.complete and not self.answering:
            self.deadline = min(self.expires, self.client.plane.now + connection.pool.first_byte_timeout)
        if self._held:
            self.body += fresh
            self._hold_or_let_go()
        if self.chunked:
            parts: list[bytes] = []
            self._frame(parts, fresh)
            fresh = parts
        if fresh:
            self.client.plane.write(connection.transport, b"".join(fresh))

    def _frame(self, parts: list[bytes], pieces: list[bytes]) -> None:
        for piece in pieces:
            parts += (b"%x\r\n" % len(piece), piece, CRLF)
        if self.complete:
            parts.append(LAST_CHUNK)

    def _hold_or_let_go(self) -> None:
        # A body that is kept can be sent again; a large one is not worth the memory.
        if self.received > _LARGEST_HELD:
            self._held = False
            self.body = []

    # -- what goes wrong ----------------------------------------------------------------------------------

    def unreachable(self, address: Address, refusal: Refusal) -> None:
        """No connection could be made, so nothing was sent: another address may be tried."""
        if self.over:
            return
        self._attempts += 1
        pool = self._pool
        if self._attempts <= len(pool.addresses) and len(pool.addresses) > 1:
            pool.counts.retries += 1
            pool.acquire(self, avoid=address)
        else:
            self.refuse(refusal)

    def broken(self, address: Address, refusal: Refusal, *, sent: bool, begun: bool) -> None:
        """The connection failed: maybe before the request was sent, maybe within the answer's head."""
        self.connection = None
        self.arrived = perf_counter()
        if self.over:
            return
        if self.answering:
            # The client has seen a part: all that can be said is that the rest is missing.
            self._end(502)
            self.client.abort()
            return
        may_repeat = self.method in REPEATABLE or self._entry.repeatable
        may_try = self._attempts < (2 if sent else _MOST_ATTEMPTS)
        if self._held and may_try and (not sent or (may_repeat and not begun)):
            self._pool.counts.retries += 1
            self._pool.acquire(self, fresh=True, avoid=address)
        else:
            self._held = self._held and not begun
            self.refuse(refusal)

    def refuse(self, refusal: Refusal) -> None:
        """Answer for the router itself, unless another backend may serve in place of the assigned one."""
        slot = self._slot
        if slot is not None and slot.fallback is not None and refusal.reason in _UNSERVED:
            may_repeat = self._sent == 0.0 or self.method in REPEATABLE or self._entry.repeatable
            if self._held and may_repeat and not self.over:
                self._fall_back(slot.fallback)
                return
        super().refuse(refusal)

    def _fall_back(self, slot: Slot) -> None:
        """Once: to the experiment's fallback, in the name of the variant that was assigned."""
        if self.connection is not None:
            self._leave(failed=False)
        else:
            self._pool.forget(self)
        self._slot = slot
        self._flags |= FALLBACK
        self._attempts = 0
        self._sent = self.arrived = 0.0
        self.deadline = self.expires = FOREVER
        self._pool = slot.pool
        slot.pool.acquire(self)

    def expire(self) -> None:
        """The deadline has passed: whose it was depends on how far the exchange had come."""
        connection = self.connection
        name = self._pool.name
        if connection is None:
            self._pool.forget(self)
            self._pool.counts.timeouts += 1
            self.refuse(Refusal(503, "pool-timeout", f"no connection to {name} became free in time", 1))
            return
        self._leave(failed=True)
        if self.answering:
            self._end(504)
            self.client.abort()
        elif self._pool.timeout <= self._pool.first_byte_timeout:
            self.refuse(Refusal(504, "timeout", f"{name} did not finish its answer in time"))
        else:
            self.refuse(Refusal(504, "first-byte-timeout", f"{name} did not begin its answer in time"))

    def client_lost(self) -> None:
        """The client hung up: nothing more is read from the backend for it."""
        if self.over:
            return
        if self.connection is not None:
            self._leave(failed=False)
        elif self.started and not self.local:
            self._pool.forget(self)
        if self.started and not self.local:
            self._end(CLIENT_CLOSED)
        self.over = True
