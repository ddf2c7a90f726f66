"""What happens to one request, from its head to its record?

An exchange is the request's side of both connections: it picks the variant, asks the pool for a connection,
sends, relays what comes back, retries where that is safe, answers itself where no backend does, and records.
Nothing here waits: every step is a call from one of the two connections, the pool or the sweep.
"""

from __future__ import annotations

from binascii import hexlify
from os import urandom
from time import perf_counter
from typing import TYPE_CHECKING

from policies.assignment import assign, place
from router.data.answering import CLIENT_CLOSED, Answering
from router.data.answers import Refusal
from router.data.pool import Address
from router.data.request import FOREVER
from router.data.wire import CRLF, LAST_CHUNK, REPEATABLE
from router.errors import TokenError
from router.token import FORCED, LOGGED, UNIDENTIFIED, read_force

if TYPE_CHECKING:
    from router.data.snapshot import Trial
    from router.data.upstream import BackendConnection

_LARGEST_HELD = 1024 * 1024
# A backend that always closes, or speaks, before it is asked is not asked for ever.
_MOST_ATTEMPTS = 3
# Where the status stands in an answer's first line.
_STATUS = slice(9, 12)


class Exchange(Answering):
    """One request on its way: the half of an exchange that faces the backend."""

    __slots__ = ()

    # -- from the request to a connection -----------------------------------------------------------------

    def waits_for(self) -> int:
        """How many bytes of the body must be here before `begin`: the unit may stand in them."""
        entry = self.snapshot.entry(self.target.partition(b"?")[0])
        if entry is None:
            return 0
        if entry.local:
            return self.snapshot.limits.outcome_bytes
        return self.snapshot.limits.json_prefix if entry.trial is not None and entry.trial.needs_body else 0

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
        self._pool = pool
        pool.acquire(self)

    def _make_unit(self, trial: Trial) -> bytes:
        self._flags = UNIDENTIFIED
        unit = hexlify(urandom(16))
        if trial.cookie is not None:
            self._cookie = trial.cookie(unit)
        return unit

    def _choose(self, trial: Trial, unit: bytes) -> str:
        """By more than the unit: anew for each request, by its features, or both."""
        plan = trial.plan
        key = unit if plan.draw == "unit" else b"%d" % next(self.client.plane.decisions)
        context = trial.context
        if context is None:
            return assign(plan, key).variant
        choice = context.choose(self, key)
        if context.log.wanted():
            self._choice = choice
            self._flags |= LOGGED
        return choice.variant

    def _forced(self, trial: Trial) -> str | None:
        assert self.force is not None
        try:
            experiment, variant = read_force(
                self.force.decode("latin-1"), self.snapshot.state.key, self.client.plane.wall
            )
        except TokenError:
            return None
        if experiment != trial.name or variant not in trial.slots:
            return None
        self._flags |= FORCED
        return variant

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
            self.refuse(refusal)

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
