"""How does a request get its answer: from a backend's bytes, or from the router itself?"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from policies.assignment import BUCKETS
from router.data.answers import Refusal, render
from router.data.request import FOREVER, Request
from router.data.wire import CRLF, LAST_CHUNK, STATUS_LINES, status_line
from router.store.decisions import LoggedDecision
from router.token import FORCED

if TYPE_CHECKING:
    from router.data.context import Choice
    from router.data.heads import KnownHead
    from router.data.trial import Slot

CLIENT_CLOSED = 499


class Answering(Request):
    """The half of an exchange that faces the client."""

    __slots__ = ()

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
        self.deadline = FOREVER
        parts = [status_line(101), *head, b"connection: upgrade\r\nupgrade: ", protocol, CRLF]
        self._add_own(parts)
        parts.append(CRLF)
        self.client.write(b"".join(parts))
        self.client.open_tunnel()

    @property
    def takes_whole(self) -> bool:
        """Whether this client gets an answer's lines as most do, and may have it whole by now."""
        return (
            self.sent_all
            and self.keep_alive
            and self.modern
            and not (self.head_only or self.client.plane.draining)
        )

    def answer_whole(self, known: KnownHead, body: bytes) -> None:
        """A whole answer, with a head that is known: as `answer_head` and `answer_end`, in one step."""
        client = self.client
        self._first_byte = self.arrived
        out = [known.lines]
        self._add_own(out)
        out += (CRLF, body)
        self.out = out
        self._status = known.status
        client.plane.write(client.transport, b"".join(out))
        self._end(known.status)
        client.answered(self, close=False)

    def answer_head(self, status: int, head: list[bytes], length: bytes | None, *, has_body: bool) -> None:
        """The head of the final answer; what follows it is decided here."""
        self.answering = True
        self._status = status
        self._first_byte = self.arrived
        plane = self.client.plane
        self.deadline = self.expires
        line = STATUS_LINES.get(status)
        out = [line if line is not None else status_line(status), *head]
        close = not (self.keep_alive and self.complete) or (plane.draining and self.client.ends)
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
            out += (b"x-request-id: ", self.request_id, CRLF, self._cookie)
            return
        plane = self.client.plane
        decision = next(plane.decisions)
        token = slot.signer.sign(self._place % BUCKETS, decision, int(plane.wall), self._flags)
        if self._choice is not None:
            self._log(decision, slot, self._choice)
        out += (
            b"x-request-id: ",
            self.request_id,
            b"\r\nx-turnout-token: ",
            token,
            CRLF,
            slot.headers,
            self._cookie,
        )

    def _log(self, decision: int, slot: Slot, choice: Choice) -> None:
        assert slot.log is not None
        now = int(self.client.plane.wall)
        slot.log.add(LoggedDecision(decision, now, slot.variant, choice.propensity, choice.features))

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

    # -- from the router itself ----------------------------------------------------------------------------

    def refuse(self, refusal: Refusal) -> None:
        """Answer for the router itself."""
        if self.over:
            return
        if self.connection is not None:
            self._leave(failed=False)
        elif self._pool is not None:
            self._pool.forget(self)  # it may be waiting, and must not be sent after all
        client = self.client
        client.plane.meter.refusals[refusal.reason] += 1
        close = not self.keep_alive or not self.complete or client.ends or self.upgrade is not None
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
        if not self.started:
            self._entry = self.snapshot.unrouted
            self._started = perf_counter()
        self._end(refusal.status)
        client.answered(self, close=close)

    # -- the end ------------------------------------------------------------------------------------------

    def _leave(self, *, failed: bool) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            self.arrived = perf_counter()
            connection.abandon(failed=failed)

    def _end(self, status: int) -> None:
        self.over = True
        now = perf_counter()
        started = self._started
        slot = self._slot
        if slot is None:
            tally = self._entry.tally
        elif self._flags & FORCED:
            tally = slot.forced
        else:
            tally = slot.accumulator
        tally.add(
            (
                self._place,
                int(((self._first_byte or now) - started) * 1e6),
                int((now - started) * 1e6),
                status,
                self._flags,
                self.arrived - self._sent,
            )
        )
