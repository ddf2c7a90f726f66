"""What does a backend's connection do with the bytes that come back?"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import httptools

from router.data.answers import Refusal
from router.data.heads import HEAD_END, LONGEST, KnownHead
from router.data.pool import Address, Pool, poll_readable
from router.data.wire import (
    CONNECTION,
    CRLF,
    DROP,
    ENCODING,
    LENGTH,
    PASS,
    RESPONSE_KINDS,
    SEPARATOR,
    UPGRADE,
    kind_of,
    status_line,
    tokens,
    without,
)

if TYPE_CHECKING:
    from router.data.carried import Carried

LARGEST_HEAD = 256 * 1024

_kinds = dict(RESPONSE_KINDS)
_INTERIM = 200
_NO_BODY = frozenset((204, 304))


class BackendConnection(asyncio.Protocol):
    """One connection to one address; it carries one exchange at a time and parses the answers."""

    __slots__ = (
        "_chunked",
        "_connection_tokens",
        "_finished",
        "_head",
        "_head_bytes",
        "_head_read",
        "_in_head",
        "_keep",
        "_length",
        "_odd",
        "_parser",
        "_upgrade",
        "address",
        "exchange",
        "idle_since",
        "pool",
        "transport",
        "turn",
    )

    def __init__(self, pool: Pool, address: Address) -> None:
        self.pool = pool
        self.address = address
        self.exchange: Carried | None = None
        self.idle_since = 0.0
        self.turn = -1
        self.transport: asyncio.Transport = cast(Any, None)
        self._parser = httptools.HttpResponseParser(self)
        self._finished = False
        self._keep = False
        self._in_head = False
        self._head_bytes = 0
        self._reset()

    def _reset(self) -> None:
        self._odd = False
        self._head: list[bytes] = []
        # That of the answer that goes on, when it is complete.
        self._head_read: list[bytes] = []
        self._length: bytes | None = None
        self._chunked = False
        self._connection_tokens: frozenset[bytes] | None = None
        self._upgrade: bytes | None = None

    # -- the transport's callbacks ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            self.close()  # nobody asked: whatever this is, it must not become the next request's answer
            return
        exchange.arrived = perf_counter()
        if exchange.tunnel:
            exchange.client.write(data)
            return
        if self.turn == exchange.client.plane.turn:
            # The request has not even been sent: this answers nothing, and nothing here can be trusted.
            self._lose(exchange, f"{self.pool.name} answered before it was asked", sent=False)
            return
        begins = not (self._in_head or exchange.answering)
        pool = self.pool
        heads = pool.heads
        if begins and heads.known:
            start = data.find(HEAD_END) + 4
            known = heads.known.get(data[:start])
            if known is not None and known.size == len(data) and exchange.takes_whole:
                heads.hits += 1
                self.exchange = None
                pool.release(self)
                exchange.answer_whole(known, data[start:])
                return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.exchange is not None and self.exchange.tunnel:
                rest = data[upgrade.args[0] :]
                if rest:
                    self.exchange.client.write(rest)
                return
            self._broken("it switched protocols unasked")
            return
        except httptools.HttpParserError as error:
            if self._finished:
                self._done(reusable=False)
            else:
                self._broken(str(error))
            return
        if self._finished:
            if begins and heads.learning:
                self._learn(data)
            self._done(reusable=True)
        elif self._in_head:
            self._count_head(len(data))
        else:
            if self._head:
                self._head = []  # trailers, which are not passed on and must not pile up
            exchange.flush_answer()

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > LARGEST_HEAD:
            self._broken("its header is too large")

    def _learn(self, data: bytes) -> None:
        """Remember the head of the answer that ``data`` is, if nothing about it was special."""
        exchange, length = self.exchange, self._length
        # That to HEAD was ended by hand, and its parser is gone.
        if exchange is None or exchange.head_only or length is None or self._odd or not self._keep:
            return
        start = data.find(HEAD_END) + 4
        status = self._parser.get_status_code()
        if start + int(length) != len(data) or start > LONGEST or status in _NO_BODY:
            return
        lines = b"".join((status_line(status), *self._head_read, b"content-length: ", length, CRLF))
        self.pool.heads.learn(data[:start], KnownHead(status, len(data), lines))

    def eof_received(self) -> bool:
        if self.exchange is None:
            self.close()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            self.pool.lost(self, in_use=False, failed=False)
            return
        if exchange.tunnel:
            self.pool.lost(self, in_use=True, failed=False)
            exchange.answer_end()
            return
        delimited = exchange.answering and self._length is None and not self._chunked and error is None
        self.pool.lost(self, in_use=True, failed=not delimited)
        if delimited:
            self.address.failures = 0
            exchange.answer_end()  # an answer without a length ends where its connection does
            return
        refusal = Refusal(502, "backend-closed", f"{self.pool.name} closed the connection")
        sent = self.turn != exchange.client.plane.turn
        exchange.broken(self.address, refusal, sent=sent, begun=self._in_head)

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.client.hold_reading()

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.client.resume_reading()

    # -- the parser's callbacks ---------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._finished:
            raise ValueError("a second answer to one request")
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        try:
            kind = _kinds[name]
        except KeyError:
            kind = kind_of(_kinds, name)
        if kind == PASS:
            self._head += (name, SEPARATOR, value, CRLF)
        elif kind == LENGTH:
            self._length = value
        elif kind != DROP:
            self._odd = True
            self._special(kind, value)

    def _special(self, kind: int, value: bytes) -> None:
        if kind == ENCODING:
            self._chunked = value.lower() == b"chunked"
            if not self._chunked:
                raise ValueError("a transfer coding other than chunked")
        elif kind == CONNECTION:
            self._connection_tokens = (self._connection_tokens or frozenset()) | tokens(value)
        elif kind == UPGRADE:
            self._upgrade = value

    def on_headers_complete(self) -> None:
        exchange = self.exchange
        assert exchange is not None
        self._in_head = False
        self._head_bytes = 0
        status = self._parser.get_status_code()
        head = self._head
        named = self._connection_tokens
        if named is not None and named - {b"close", b"keep-alive"}:
            head = without(head, named)
        if status < _INTERIM:
            self._interim(exchange, status, head)
            return
        exchange.answer_head(
            status, head, self._length, has_body=not (exchange.head_only or status in _NO_BODY)
        )
        # What follows on_header now is a trailer, which the head no longer takes.
        self._head_read, self._head = head, []
        if exchange.head_only:
            # The parser cannot know that the request was HEAD and would wait for a body: a new one goes on.
            self._finished = True
            self._keep = self._parser.get_http_version() == "1.1" and not (named and b"close" in named)
            self._parser = httptools.HttpResponseParser(self)

    def _interim(self, exchange: Carried, status: int, head: list[bytes]) -> None:
        if status == 101:
            if exchange.upgrade is None:
                raise ValueError("101 to a request that asked for no upgrade")
            exchange.switch(head, self._upgrade or exchange.upgrade)
        elif status >= 100:
            if self._chunked or int(self._length or 0) or not self._parser.should_keep_alive():
                # The parser would take the final answer, or what comes after it, for something else.
                raise ValueError("an interim answer with a body, or with which its connection ends")
            exchange.interim(status, head)
        else:
            raise ValueError("a status below 100")

    def on_body(self, body: bytes) -> None:
        if self._finished:
            raise ValueError("a body where there must be none")
        exchange = self.exchange
        if exchange is None:
            return
        if exchange.chunk_answer:
            exchange.out += (b"%x\r\n" % len(body), body, CRLF)
        else:
            exchange.out.append(body)

    def on_message_complete(self) -> None:
        if self._finished:
            return
        if self._parser.get_status_code() < _INTERIM:
            self._reset()
            return
        self._finished = True
        self._keep = self._parser.should_keep_alive()

    # -- the end of an exchange ---------------------------------------------------------------------------

    def _done(self, *, reusable: bool) -> None:
        exchange, self.exchange = self.exchange, None
        assert exchange is not None
        keep = reusable and self._keep and exchange.sent_all
        self._finished = False
        self._length = None
        self._chunked = False
        if self._odd:
            self._reset()
        self.address.failures = 0
        if keep:
            self.pool.release(self)
        else:
            self._detach(failed=False)
        exchange.answer_end()

    def _broken(self, why: str) -> None:
        exchange = self.exchange
        assert exchange is not None
        self._lose(exchange, f"{self.pool.name} gave an answer that is not HTTP: {why}", sent=True)

    def _lose(self, exchange: Carried, why: str, *, sent: bool) -> None:
        self.exchange = None
        self._detach(failed=True)
        exchange.broken(self.address, Refusal(502, "backend-protocol", why), sent=sent, begun=sent)

    def abandon(self, *, failed: bool) -> None:
        """The exchange was given up: this connection cannot be used again."""
        self.exchange = None
        self._detach(failed=failed)

    def _detach(self, *, failed: bool) -> None:
        # connection_lost comes later and finds nobody; the counts are set right now.
        self.address.outstanding -= 1
        if failed:
            self.pool.failed(self.address)
        self.transport.abort()

    def alive(self) -> bool:
        """Whether a connection that has been idle is still open, and has nothing to say unasked."""
        return not poll_readable(self.transport.get_extra_info("socket").fileno())

    def close(self) -> None:
        """Close an idle connection."""
        if self in self.address.idle:
            self.address.idle.remove(self)
        self.transport.close()
