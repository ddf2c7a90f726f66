"""What happens to one request, from its head to its record?

An exchange is the request's side of both connections: it picks the variant, asks the pool for a connection,
sends, relays what comes back, retries where that is safe, answers itself where no backend does, and records.
Nothing here waits: every step is a call from one of the two connections, the pool or the sweep.
"""

from __future__ import annotations

from binascii import hexlify
from os import urandom
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from policies.assignment import BUCKETS, assign, place
from router.data.answers import Refusal, render
from router.data.pool import Address, Pool
from router.data.wire import CRLF, LAST_CHUNK, NO_TOKENS, REPEATABLE, STATUS_LINES, status_line
from router.errors import TokenError
from router.token import FORCED, UNIDENTIFIED, read_force

if TYPE_CHECKING:
    from router.data.downstream import ClientConnection
    from router.data.snapshot import Entry, Slot, Snapshot, Trial
    from router.data.upstream import BackendConnection

CLIENT_CLOSED = 499
_FOREVER = float("inf")
_LARGEST_HELD = 1024 * 1024


class Exchange:
    """One request and its answer."""

    __slots__ = (
        "_attempts",
        "_close_after",
        "_cookie",
        "_entry",
        "_first_byte",
        "_flags",
        "_held",
        "_place",
        "_pool",
        "_slot",
        "_started",
        "_status",
        "answering",
        "body",
        "captured",
        "chunk_answer",
        "chunked",
        "client",
        "complete",
        "connection",
        "connection_tokens",
        "deadline",
        "expects",
        "force",
        "forwarded_for",
        "fresh",
        "head",
        "head_only",
        "host",
        "keep_alive",
        "length",
        "local",
        "method",
        "modern",
        "odd",
        "out",
        "over",
        "received",
        "refusal",
        "request_id",
        "sent_all",
        "snapshot",
        "started",
        "target",
        "tunnel",
        "upgrade",
    )

    def __init__(self, client: ClientConnection, snapshot: Snapshot) -> None:
        self.client = client
        self.snapshot = snapshot
        # What the client's side fills in.
        self.method = b""
        self.target = b""
        self.head: list[bytes] = []
        self.captured: dict[int, bytes] = {}
        self.host: bytes | None = None
        self.forwarded_for: bytes | None = None
        self.request_id = b""
        self.force: bytes | None = None
        self.upgrade: bytes | None = None
        self.connection_tokens = NO_TOKENS
        self.refusal: Refusal | None = None
        self.length: bytes | None = None
        self.chunked = False
        self.expects = False
        self.keep_alive = True
        self.modern = True
        self.odd = False
        self.head_only = False
        self.fresh: list[bytes] = []
        self.received = 0
        self.complete = False
        # What it has come to.
        self.started = False
        self.local = False
        self.connection: BackendConnection | None = None
        self.deadline: float = _FOREVER
        self.body: list[bytes] = []
        self.sent_all = False
        self.answering = False
        self.tunnel = False
        self.over = False
        self.out: list[bytes] = []
        self.chunk_answer = False
        self._entry: Entry | None = None
        self._pool: Pool = cast(Any, None)
        self._slot: Slot | None = None
        self._place = 0
        self._flags = 0
        self._cookie = b""
        self._attempts = 0
        self._held = True
        self._close_after = False
        self._status = 0
        self._started = 0.0
        self._first_byte = 0.0

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
        entry = self._entry = self.snapshot.remembered.get(path) or self.snapshot.entry(path)
        if entry is None:
            self.refuse(Refusal(404, "no-route", f"no route serves {path.decode('latin-1')}"))
            return
        self.started = True
        pool = entry.pool
        if pool is None:
            self._answer_locally()
            return
        plane = self.client.plane
        self._started = perf_counter()
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
            slot = self._slot = trial.slots[variant or assign(trial.plan, unit).variant]
            pool = slot.pool
        self._pool = pool
        pool.acquire(self)

    def _make_unit(self, trial: Trial) -> bytes:
        self._flags = UNIDENTIFIED
        unit = hexlify(urandom(16))
        if trial.cookie is not None:
            self._cookie = trial.cookie(unit)
        return unit

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
        """One of the service's own routes: not forwarded, not recorded."""
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
        self.over = True
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
        self._attempts += 1
        pool = connection.pool
        # The backend's time to begin its answer runs from the request's end.
        self.deadline = plane.now + (pool.patience if self.complete else pool.timeout)
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
            self.deadline = min(self.deadline, self.client.plane.now + connection.pool.first_byte_timeout)
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

    # -- from the backend ---------------------------------------------------------------------------------

    def interim(self, status: int, head: list[bytes]) -> None:
        """A 1xx answer: passed on to a client that can read one."""
        if self.modern:
            self.client.write(b"".join((status_line(status), *head, CRLF)))

    def switch(self, head: list[bytes], protocol: bytes) -> None:
        """101: from here on both connections carry bytes that are none of ours."""
        self._status = 101
        self._first_byte = perf_counter()
        self.answering = self.tunnel = True
        self.deadline = _FOREVER
        parts = [status_line(101), *head, b"connection: upgrade\r\nupgrade: ", protocol, CRLF]
        self._add_own(parts)
        parts.append(CRLF)
        self.client.write(b"".join(parts))
        self.client.open_tunnel()

    def answer_head(self, status: int, head: list[bytes], length: bytes | None, *, has_body: bool) -> None:
        """The head of the final answer; what follows it is decided here."""
        self.answering = True
        self._status = status
        self._first_byte = perf_counter()
        plane = self.client.plane
        self.deadline = plane.now + self._pool.timeout
        line = STATUS_LINES.get(status)
        out = [line if line is not None else status_line(status), *head]
        close = not (self.keep_alive and self.complete) or plane.draining
        if length is not None:
            if has_body or self.head_only or status == 304:
                out += (b"content-length: ", length, CRLF)
        elif has_body:
            if self.modern:
                self.chunk_answer = True
                out.append(b"transfer-encoding: chunked\r\n")
            else:
                close = True
        if close:
            self._close_after = True
            out.append(b"connection: close\r\n")
        elif not self.modern:
            out.append(b"connection: keep-alive\r\n")
        self._add_own(out)
        out.append(CRLF)
        self.out = out
        # Nothing is repeated once the answer has begun.
        self._held = False
        self.body = []

    def _add_own(self, out: list[bytes]) -> None:
        slot = self._slot
        if slot is None:
            out += (b"x-request-id: ", self.request_id, CRLF)
            return
        plane = self.client.plane
        token = slot.signer.sign(self._place % BUCKETS, next(plane.decisions), int(plane.wall), self._flags)
        out += (
            b"x-request-id: ",
            self.request_id,
            b"\r\nx-turnout-token: ",
            token,
            CRLF,
            slot.headers,
            self._cookie,
        )

    def flush_answer(self) -> None:
        """Write what has come since the last read from the backend."""
        out = self.out
        if out and not self.over:
            self.out = []
            self.client.write(b"".join(out))

    def answer_end(self) -> None:
        """The answer is complete."""
        if self.over:
            return
        client = self.client
        if self.tunnel:
            self._end(CLIENT_CLOSED if client.gone else 101)
            client.close()
            return
        out = self.out
        if self.chunk_answer:
            out.append(LAST_CHUNK)
        if out:
            client.plane.write(client.transport, b"".join(out))
        self._end(self._status)
        client.answered(self, close=self._close_after)

    # -- what goes wrong ----------------------------------------------------------------------------------

    def unreachable(self, address: Address, refusal: Refusal) -> None:
        """No connection could be made, so nothing was sent: another address may be tried."""
        if self.over:
            return
        self._attempts += 1
        pool = self._pool
        if self._attempts <= len(pool.addresses) and len(pool.addresses) > 1:
            pool.acquire(self, avoid=address)
        else:
            self.refuse(refusal)

    def broken(self, address: Address, refusal: Refusal, *, sent: bool, begun: bool) -> None:
        """The connection failed under the exchange: before the request was sent, or within the answer's head."""
        self.connection = None
        if self.over:
            return
        if self.answering:
            # The client has seen a part: all that can be said is that the rest is missing.
            self._end(502)
            self.client.abort()
            return
        may_repeat = self.method in REPEATABLE or (self._entry is not None and self._entry.repeatable)
        if self._held and (not sent or (may_repeat and not begun and self._attempts < 2)):
            self._pool.acquire(self, fresh=True, avoid=address)
        else:
            self.refuse(refusal)

    def expire(self) -> None:
        """The deadline has passed: whose it was depends on how far the exchange had come."""
        connection = self.connection
        name = self._pool.name
        if connection is None:
            self._pool.forget(self)
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

    def refuse(self, refusal: Refusal) -> None:
        """Answer for the router itself."""
        if self.over:
            return
        if self.connection is not None:
            self._leave(failed=False)
        client = self.client
        close = not self.keep_alive or not self.complete or client.plane.draining or self.upgrade is not None
        extra: list[bytes] = []
        if self._slot is not None:
            if not self.request_id:
                self.request_id = client.plane.new_request_id()
            self._add_own(extra)
        answer = render(
            refusal,
            b"" if extra else self.request_id,
            b"".join(extra),
            close=close,
            head_only=self.head_only,
        )
        client.write(answer)
        if self.started:
            self._end(refusal.status)
        else:
            self.over = True
        client.answered(self, close=close)

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

    # -- the end ------------------------------------------------------------------------------------------

    def _leave(self, *, failed: bool) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abandon(failed=failed)

    def _end(self, status: int) -> None:
        self.over = True
        slot = self._slot
        if slot is None or self._flags & FORCED:
            return
        now = perf_counter()
        started = self._started
        first_byte = int(((self._first_byte or now) - started) * 1e6)
        slot.accumulator.add(
            (self._place, first_byte, int((now - started) * 1e6), status >= 500, self._flags)
        )
