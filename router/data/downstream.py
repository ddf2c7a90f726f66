"""What does a client's connection do with the bytes that come in?

It parses requests with llhttp in its strict form, refuses what could be read two ways, and keeps order:
one exchange is current, later (pipelined) ones wait in a queue, and reading stops whenever more would only
pile up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, cast

import httptools

from router.data.answers import Refusal
from router.data.exchange import Exchange
from router.data.request import Request
from router.data.request_reader import NOTHING, RequestReader, has_body

if TYPE_CHECKING:
    from router.data.plane import Plane

_FOREVER = float("inf")
_LINGER = 2.0
_SLICE = 16 * 1024
_STASH = 64 * 1024
# Bytes of framing that a chunked body may cost beyond sixteen for each byte of the body itself.
_FRAMING = 64 * 1024


class ClientConnection(RequestReader, asyncio.Protocol):
    """One client's connection, as uvicorn's ``http=`` protocol."""

    __slots__ = (
        "_advancing",
        "_backend_full",
        "_backlog",
        "_connections",
        "_eof",
        "_held",
        "_proto",
        "_stash",
        "deadline",
        "forwarded",
        "forwarded_for",
        "forwarded_host",
        "gone",
        "peer",
        "send_deadline",
        "transport",
    )

    exchange_type: ClassVar[type[Exchange]] = Exchange

    def __init__(self, plane: Plane, **uvicorn: Any) -> None:
        super().__init__(plane)
        self._connections: set[Any] = uvicorn["server_state"].connections
        self.transport: asyncio.Transport = cast(Any, None)
        self.peer = b""
        # The lines that say whom a request came from, and how; the same for all of a connection.
        self.forwarded_for = b""
        self.forwarded_host: bytes | None = None
        self.forwarded = b""
        self._proto = b"x-forwarded-proto: http\r\n"
        self.deadline = _FOREVER
        self.send_deadline = _FOREVER
        self.gone = False
        self._advancing = False
        self._eof = False
        self._held = False
        self._backend_full = False
        self._backlog = bytearray()
        self._stash: list[bytes] | None = None

    # -- the transport's callbacks ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        self.plane.clients.add(self)
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]).encode() if isinstance(name, tuple) else b"unknown"
        self.forwarded_for = b"x-forwarded-for: %b\r\n" % self.peer
        if transport.get_extra_info("sslcontext") is not None:
            self._proto = b"x-forwarded-proto: https\r\n"
        self.forwarded = self._proto
        self.deadline = self.plane.now + self.plane.snapshot.limits.header_timeout

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        self._connections.discard(self)
        self.plane.clients.discard(self)
        current, self.current = self.current, None
        self._queue.clear()
        if current is not None:
            current.client_lost()

    def data_received(self, data: bytes) -> None:
        if self._stash is not None:
            self._receive_raw(data)
            return
        if self._deaf:
            return
        if len(data) > _SLICE or self._backlog:
            self._backlog += data
            self._feed_backlog()
            return
        self._feed(data)

    def _feed_backlog(self) -> None:
        """Parse slice by slice: a read may hold thousands of requests, and few may be open at once."""
        while self._backlog and not self._deaf and self._stash is None and not self._crowded():
            piece = bytes(self._backlog[:_SLICE])
            del self._backlog[:_SLICE]
            self._feed(piece)
        if self._backlog and self._stash is not None:
            self._stash.append(bytes(self._backlog))
            self._backlog.clear()
        self._update_reading()

    def _crowded(self) -> bool:
        return len(self._queue) >= self.plane.snapshot.limits.pipelined

    def _feed(self, data: bytes) -> None:
        self._fed = data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            self._malformed(error)
            return
        else:
            parsing = self._parsing
            if parsing is not None:
                self._unfinished(parsing, len(data))
            return
        # Out here, where what fails has no other cause.
        self._upgraded(rest)

    def eof_received(self) -> bool:
        self._eof = True
        current = self.current
        if self._stash is not None and current is not None and current.tunnel:
            connection = current.connection
            if connection is not None and connection.transport.can_write_eof():
                self.plane.send_all()
                connection.transport.write_eof()
            return True
        # Half a request will never be whole. A whole one is answered, as its client may only be done sending;
        # but it may as well be gone, and then nobody waits for the answer: so not for long.
        if current is None or self._parsing is not None or not self.transport.can_write_eof():
            return False
        if not current.answering:
            self.deadline = self.plane.now + self.plane.snapshot.limits.half_closed
        return True

    def pause_writing(self) -> None:
        self.send_deadline = self.plane.now + self.plane.snapshot.limits.send_timeout
        connection = None if self.current is None else self.current.connection
        if connection is not None:
            connection.transport.pause_reading()
        self._update_reading()

    def resume_writing(self) -> None:
        self.send_deadline = _FOREVER
        connection = None if self.current is None else self.current.connection
        if connection is not None:
            connection.transport.resume_reading()
        elif self.current is None and self._queue:
            self._next()
        self._update_reading()

    def shutdown(self) -> None:
        """uvicorn's word that the service stops: what is under way is finished, the idle get a moment.

        A client may be sending its next request just now; within that moment it is told by an answer to
        come again elsewhere, and not by a reset.
        """
        if self.current is None and not self._deaf:
            self.deadline = min(self.deadline, self.plane.now + self.plane.snapshot.limits.drain_idle)

    # -- the parser's callbacks at a message's ends --------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._deaf:
            raise ValueError("nothing more is read")
        snapshot = self.plane.snapshot
        self._kinds = snapshot.kinds
        self._parsing = Exchange(self, snapshot)

    def on_message_complete(self) -> None:
        exchange, self._parsing = self._parsing, NOTHING
        exchange.complete = True
        self.deadline = _FOREVER
        if exchange.odd or self._raw:
            if self._parser.should_upgrade() and has_body(exchange):
                # The parser takes what follows for another protocol: `_upgraded` is next.
                exchange.complete = False
                self._parsing = exchange
                return
            self._refusal = None
            self._raw = 0
            self._start = b""
        if exchange is self.current:
            if exchange.started:
                exchange.push()
            else:
                exchange.begin()
        else:
            self._update_reading()

    # -- what the parser leaves ---------------------------------------------------------------------------

    def _unfinished(self, exchange: Exchange, fed: int) -> None:
        """The data ended within a message: in its head, or in its body."""
        limits = exchange.snapshot.limits
        if not exchange.method:
            if self._raw == 0:
                self.deadline = self.plane.now + limits.header_timeout
                self._start = b""
            self._start += self._fed
            self._raw += fed
            if len(exchange.target) > limits.url_bytes:
                self._refuse(Refusal(414, "url-too-long", f"the URL is longer than {limits.url_bytes} bytes"))
            elif self._raw > limits.header_bytes:
                self._refuse(
                    Refusal(
                        431, "headers-too-large", f"the headers are longer than {limits.header_bytes} bytes"
                    )
                )
            return
        if exchange.chunked:
            self._raw += fed
            if self._raw > _FRAMING + 16 * exchange.received:
                self._refuse(Refusal(400, "bad-request", "the body is chunked into too much framing"))
                return
        self.deadline = self.plane.now + limits.body_timeout
        if exchange is self.current:
            if exchange.started:
                exchange.push()
            elif exchange.refusal is not None or exchange.received >= exchange.waits_for():
                exchange.begin()
            elif exchange.expects:
                exchange.expects = False
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._update_reading()

    def _malformed(self, error: httptools.HttpParserError) -> None:
        if self._deaf:
            return
        if self._parsing is None and "Connection: close" in str(error):
            self._deaf = True  # the client said that nothing more would come
            return
        cause = error.__context__
        if isinstance(cause, Exception) and not isinstance(cause, ValueError | httptools.HttpParserError):
            raise error
        refusal = None if self._parsing is None else self._parsing.refusal
        self._refuse(refusal or Refusal(400, "bad-request", f"the request is not valid HTTP: {error}"))

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what is being parsed with a refusal, in its turn, and read nothing more."""
        exchange, self._parsing = self._parsing, NOTHING
        self._deaf = True
        self.deadline = _FOREVER
        if exchange is None:
            exchange = self.exchange_type(self, self.plane.snapshot)
        exchange.keep_alive = False
        exchange.refusal = refusal
        if exchange is self.current:
            if exchange.answering:
                exchange.client_lost()
                self.abort()
            else:
                exchange.refuse(refusal)
        elif self.current is None:
            self.current = exchange
            exchange.refuse(refusal)
        elif exchange not in self._queue:
            self._queue.append(exchange)

    def _upgraded(self, rest: bytes) -> None:
        """The request may change the protocol: what follows it is not HTTP until that is denied."""
        newest = self._queue[-1] if self._queue else self.current
        self._parser = httptools.HttpRequestParser(self)
        if self._parsing is not None:
            self._read_body(self._parsing, rest)
            return
        if newest is not None and newest.upgrade is not None and not newest.over:
            self._stash = [rest] if rest else []
        elif rest:
            self._feed(rest)

    def _read_body(self, exchange: Exchange, data: bytes) -> None:
        """Read on behind a head, as that of a request with a body, which ended the message for the parser."""
        size = exchange.length
        framing = b"transfer-encoding: chunked" if size is None else b"content-length: %b" % size
        self._parser.feed_data(b"POST / HTTP/1.1\r\nhost: h\r\n%b\r\n\r\n" % framing)
        # That began a request of its own, behind the one that it stands for.
        self._queue.pop()
        self._parsing = exchange
        self._feed(data)

    def _receive_raw(self, data: bytes) -> None:
        assert self._stash is not None
        current = self.current
        if current is not None and current.tunnel and current.connection is not None:
            self.plane.write(current.connection.transport, data)
            return
        self._stash.append(data)
        self._update_reading()

    # -- what exchanges and backends' connections call ----------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        if not self.gone:
            self.plane.write(self.transport, data)

    def forwarded_lines(self, host: bytes | None) -> bytes:
        """``x-forwarded-proto`` and ``-host``; made once for each host that a client asks for in a row."""
        self.forwarded_host = host
        self.forwarded = self._proto + (b"" if host is None else b"x-forwarded-host: %b\r\n" % host)
        return self.forwarded

    @property
    def ends(self) -> bool:
        """Whether the current answer is the last, because the worker ends and no other request has come."""
        return self.plane.draining and not self._queue

    def open_tunnel(self) -> None:
        """The backend agreed to another protocol: what was held back goes to it, and the rest after it."""
        stash, self._stash = self._stash, []
        if stash and self.current is not None and self.current.connection is not None:
            self.plane.write(self.current.connection.transport, b"".join(stash))
        self._update_reading()

    def hold_reading(self) -> None:
        """The backend does not keep up."""
        self._backend_full = True
        self._update_reading()

    def resume_reading(self) -> None:
        """The backend can take more."""
        self._backend_full = False
        self._update_reading()

    def answered(self, exchange: Request, *, close: bool) -> None:
        """The current exchange is answered: go on with the next, or close."""
        if self.gone or exchange is not self.current:
            return
        self.current = None
        if close or (self._eof and not self._queue):
            self._finish(unread=not exchange.complete or bool(self._queue) or exchange.refusal is not None)
            return
        if self._stash is not None:
            stash, self._stash = self._stash, None
            self.resume_reading()
            if stash:
                self.data_received(b"".join(stash))
        elif self._queue:
            if self.send_deadline == _FOREVER:
                self._next()
        else:
            if self._held or self._backend_full:
                self.resume_reading()
            limits = exchange.snapshot.limits
            self.deadline = self.plane.now + (
                limits.drain_idle if self.plane.draining else limits.idle_timeout
            )

    def _next(self) -> None:
        """The next of the queue is current, and again the next of those that are answered at once."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._queue and self.current is None and self.send_deadline == _FOREVER:
                exchange = self.current = self._queue.popleft()
                if self._backlog:
                    self.plane.call_soon(self._feed_backlog)
                self.resume_reading()
                if exchange.complete or exchange.refusal is not None:
                    exchange.begin()
                elif exchange.method:
                    self._unfinished(exchange, 0)
        finally:
            self._advancing = False

    def close(self) -> None:
        """Close when all that was written has been sent."""
        self.plane.send_all()
        self.transport.close()

    def abort(self) -> None:
        """Close at once: what the client has is not the whole answer, and it must not believe so."""
        self.transport.abort()

    def expire(self) -> None:
        """The deadline has passed: of a header, of a body, or of an idle connection."""
        self.deadline = _FOREVER
        parsing = self._parsing
        if self.current is not None and self._eof and self.current.answering:
            return
        if parsing is None or self._deaf:
            if self.current is None:
                self.transport.close()
            else:
                self.transport.abort()
        elif not parsing.method:
            self._refuse(Refusal(408, "header-timeout", "the request's head did not arrive in time"))
        else:
            self._refuse(Refusal(408, "body-timeout", "the request's body did not arrive in time"))

    # -- reading, and its end -----------------------------------------------------------------------------

    def _update_reading(self) -> None:
        current = self.current
        hold = (
            self._backend_full
            or bool(self._queue)
            or bool(self._backlog)
            or (current is None and self.send_deadline != _FOREVER)
            or (
                current is not None
                and current.started
                and not current.complete
                and current.connection is None
            )
            or (self._stash is not None and sum(map(len, self._stash)) > _STASH)
        ) and not self._deaf
        if hold != self._held and not self.gone and not self.transport.is_closing():
            self._held = hold
            if hold:
                self.transport.pause_reading()
                self.deadline = _FOREVER
            else:
                self.transport.resume_reading()

    def _finish(self, *, unread: bool) -> None:
        """Close; where the client may still be sending, let it read the answer before it hears of that."""
        self._deaf = True
        self._queue.clear()
        self.plane.send_all()
        if unread and self.transport.can_write_eof() and not self._eof:
            try:
                self.transport.write_eof()
            except OSError:  # it was reset, and reading was held back, so that nobody has heard of it
                self.transport.abort()
                return
            self._stash = None
            self._update_reading()
            self.deadline = self.plane.now + _LINGER
        else:
            self.transport.close()
