"""Over which connections do copies go?

A pool of a shadow's own: small, and nobody waits in it. The two classes do what their bases do, as far as a
copy needs it. That they have code of their own also keeps the clients' path as fast as it is without shadows:
the interpreter makes each access to an attribute fast for one type, and slow for two that come in turn.
"""

from __future__ import annotations

from time import perf_counter

import httptools
from msgspec.structs import replace

from router.data.carried import Carried
from router.data.heads import HEAD_END
from router.data.pool import TRUSTED_IDLE, Address, Clock, Pool
from router.data.shadow_copies import Copy
from router.data.upstream import BackendConnection
from router.settings import Backend, Shadow

# How long the names are of the headers that say where an answer ends.
_FRAMING = frozenset(map(len, (b"connection", b"content-length", b"transfer-encoding")))
_FINAL = 200


class CopyConnection(BackendConnection):
    """One connection to a shadow; it carries one copy at a time."""

    __slots__ = ()
    exchange: Copy | None

    def data_received(self, data: bytes) -> None:
        copy = self.exchange
        if copy is None:
            self.close()
            return
        begins = copy.arrived == copy.sent
        copy.arrived = perf_counter()
        pool = self.pool
        heads = pool.heads
        if begins and heads.known:
            start = data.find(HEAD_END) + 4
            known = heads.known.get(data[:start])
            if known is not None and known.size == len(data) and not copy.head_only:
                heads.hits += 1
                self.exchange = None
                pool.release(self)
                copy.answer_whole(known, data[start:])
                return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._failed(error, ended=self._finished)
            return
        if self._finished:
            if begins and heads.learning:
                self._learn(data)
            self._done(reusable=True)
        elif self._in_head:
            self._count_head(len(data))
        else:
            if self._head:
                self._head = []  # trailers
            copy.flush_answer()

    def _failed(self, error: Exception, *, ended: bool) -> None:
        if ended:
            self._done(reusable=False)
        else:
            self._broken(str(error))

    def on_message_begin(self) -> None:
        if self._finished:
            raise ValueError("a second answer to one request")
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) in _FRAMING:
            BackendConnection.on_header(self, name, value)

    def on_headers_complete(self) -> None:
        copy = self.exchange
        assert copy is not None
        status = self._parser.get_status_code()
        if status < _FINAL or copy.head_only or self._head:
            BackendConnection.on_headers_complete(self)
            return
        self._in_head = False
        self._head_bytes = 0
        copy.answering = True
        copy.status = status

    def on_body(self, body: bytes) -> None:
        if self._finished:
            raise ValueError("a body where there must be none")
        copy = self.exchange
        if copy is not None and copy.kept:
            copy.out.append(body)

    def on_message_complete(self) -> None:
        if self._finished:
            return
        if self._parser.get_status_code() < _FINAL:
            self._reset()
            return
        self._finished = True
        self._keep = self._parser.should_keep_alive()

    def _done(self, *, reusable: bool) -> None:
        copy, self.exchange = self.exchange, None
        assert copy is not None
        self._finished = False
        self._length = None
        self._chunked = False
        if self._odd:
            self._reset()
        if reusable and self._keep:
            self.pool.release(self)
        else:
            self.address.failures = 0
            self._detach(failed=False)
        copy.answer_end()


class CopyPool(Pool):
    """The connections of one shadow to one backend."""

    def __init__(self, name: str, backend: Backend, shadow: Shadow, clock: Clock) -> None:
        own = replace(
            backend,
            max_connections=shadow.max_in_flight,
            max_waiting=0,
            connect_timeout=min(backend.connect_timeout, shadow.timeout),
        )
        super().__init__(name, own, clock)

    def acquire(self, exchange: Carried, *, fresh: bool = False, avoid: Address | None = None) -> None:
        address = self._only or self._choose(avoid)
        idle = address.idle
        if idle and not fresh:
            connection = idle.pop()
            if connection.idle_since > self._clock.now - TRUSTED_IDLE:
                address.outstanding += 1
                exchange.send(connection)
                return
            idle.append(connection)
        Pool.acquire(self, exchange, fresh=fresh, avoid=avoid)

    def release(self, connection: BackendConnection) -> None:
        address = connection.address
        address.outstanding -= 1
        address.failures = 0
        if self.retired:
            connection.close()
        else:
            connection.idle_since = self._clock.now
            address.idle.append(connection)

    def _new_connection(self, address: Address) -> BackendConnection:
        return CopyConnection(self, address)
