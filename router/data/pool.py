"""Which connection to a backend does a request get?

One pool per backend: per address a bounded number of connections, the idle ones kept; the address with the
fewest requests outstanding is chosen; a request that finds none free waits, bounded in number and in time.
"""

from __future__ import annotations

import asyncio
import select
from collections import deque
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from router.data.answers import Refusal
from router.data.heads import Heads
from router.settings import Backend
from router.worker_totals import PoolCounts

if TYPE_CHECKING:
    from router.data.carried import Carried
    from router.data.upstream import BackendConnection

FAILURES_BEFORE_SET_ASIDE = 5
# An idle connection younger than this was seen alive by the event loop; an older one is asked.
TRUSTED_IDLE = 0.5


class Clock(Protocol):
    """Something that knows the time without being called."""

    now: float


class Address:
    """One address of a backend: its connections and how it has been doing."""

    __slots__ = ("aside_until", "failures", "host", "idle", "open", "outstanding", "port", "request_tail")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        self.port = parts.port or 80
        self.request_tail = f" HTTP/1.1\r\nhost: {parts.netloc}\r\n".encode()
        self.idle: list[BackendConnection] = []
        self.open = 0
        self.outstanding = 0
        self.failures = 0
        self.aside_until = 0.0


class Pool:
    """The connections to one backend."""

    def __init__(self, name: str, backend: Backend, clock: Clock, counts: PoolCounts | None = None) -> None:
        """``counts`` is what earlier pools of this backend's name have counted, and goes on."""
        self.name = name
        self.counts = PoolCounts() if counts is None else counts
        self.backend = backend
        self.addresses = tuple(Address(url) for url in backend.addresses)
        self.first_byte_timeout = float(backend.first_byte_timeout)
        self.timeout = float("inf") if backend.timeout is None else float(backend.timeout)
        self.patience = min(self.first_byte_timeout, self.timeout)
        self.retired = False
        self.heads = Heads(clock)
        self._only = self.addresses[0] if len(self.addresses) == 1 else None
        self._clock = clock
        self._waiting: deque[Carried] = deque()
        self._connecting: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection."""
        return len(self._waiting)

    def acquire(self, exchange: Carried, *, fresh: bool = False, avoid: Address | None = None) -> None:
        """Give ``exchange`` a connection, now or later, or refuse it; it is told by its own methods."""
        address = self._only or self._choose(avoid)
        if not fresh:
            while address.idle:
                connection = address.idle.pop()
                if connection.idle_since > self._clock.now - TRUSTED_IDLE or connection.alive():
                    address.outstanding += 1
                    exchange.send(connection)
                    return
                connection.close()
        if address.open < self.backend.max_connections:
            address.outstanding += 1
            address.open += 1
            task = asyncio.get_running_loop().create_task(self._connect(address, exchange))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        elif len(self._waiting) < self.backend.max_waiting:
            exchange.deadline = self._clock.now + self.backend.wait_timeout
            self.counts.waits += 1
            self._waiting.append(exchange)
        else:
            self.counts.full += 1
            exchange.refuse(Refusal(503, "pool-full", f"too many requests wait for {self.name}", 1))

    def forget(self, exchange: object) -> None:
        """Take a request out of the queue, because it was given up or answered."""
        for waiting in self._waiting:
            if waiting is exchange:
                self._waiting.remove(waiting)
                return

    def release(self, connection: BackendConnection) -> None:
        """A connection's answer is complete, and it can carry another request."""
        address = connection.address
        address.outstanding -= 1
        address.failures = 0
        if self._waiting:
            # Also of a retired pool: those who wait are its own, and nobody else will serve them.
            address.outstanding += 1
            self._waiting.popleft().send(connection)
        elif self.retired:
            connection.close()
        else:
            connection.idle_since = self._clock.now
            address.idle.append(connection)

    def lost(self, connection: BackendConnection, *, in_use: bool, failed: bool) -> None:
        """A connection is gone; ``failed`` says that it was the address' doing."""
        address = connection.address
        address.open -= 1
        if in_use:
            address.outstanding -= 1
            if failed:
                self.failed(address)
        elif connection in address.idle:
            address.idle.remove(connection)
        if self._waiting:
            self.acquire(self._waiting.popleft())

    def failed(self, address: Address) -> None:
        """Count a failure in a row; the fifth sets the address aside for a while, unless it is the last."""
        address.failures += 1
        if address.failures < FAILURES_BEFORE_SET_ASIDE:
            return
        now = self._clock.now
        if any(other is not address and other.aside_until <= now for other in self.addresses):
            address.aside_until = now + self.backend.set_aside
            self.counts.set_aside += 1
            address.failures = 0

    def sweep(self) -> None:
        """Close connections that have been idle for too long."""
        limit = self._clock.now - self.backend.idle_timeout
        for address in self.addresses:
            while address.idle and address.idle[0].idle_since < limit:
                address.idle[0].close()

    def retire(self) -> None:
        """No snapshot uses this pool any more: close what is idle, and the rest as it comes back."""
        self.retired = True
        for address in self.addresses:
            for connection in list(address.idle):
                connection.close()

    def _choose(self, avoid: Address | None) -> Address:
        addresses = self.addresses
        now = self._clock.now
        able = [address for address in addresses if address.aside_until <= now] or list(addresses)
        if avoid is not None and len(able) > 1:
            able = [address for address in able if address is not avoid]
        least = min(able, key=lambda address: address.outstanding)
        if least.outstanding:
            return least
        # Among idle addresses the one whose connection rested longest, so that all are used.
        return min(
            (address for address in able if address.outstanding == 0),
            key=lambda address: address.idle[-1].idle_since if address.idle else 0.0,
        )

    def _new_connection(self, address: Address) -> BackendConnection:
        from router.data.upstream import BackendConnection

        return BackendConnection(self, address)

    async def _connect(self, address: Address, exchange: Carried) -> None:
        loop = asyncio.get_running_loop()
        connection = self._new_connection(address)
        refusal = None
        try:
            async with asyncio.timeout(self.backend.connect_timeout):
                await loop.create_connection(lambda: connection, address.host, address.port)
        except TimeoutError:
            refusal = Refusal(504, "connect-timeout", f"{self.name} did not accept a connection in time")
        except (OSError, UnicodeError):
            refusal = Refusal(502, "connect-failed", f"{self.name} refused the connection")
        made = connection.transport is not None
        if refusal is None and connection.transport.is_closing():
            # Closed, or spoken on unasked, before anybody could use it.
            refusal = Refusal(502, "backend-closed", f"{self.name} closed the connection")
        if refusal is not None:
            # A connection that was made is counted out by its own end.
            address.open -= not made
            address.outstanding -= 1
            self.counts.failed_connections += 1
            self.failed(address)
            exchange.unreachable(address, refusal)
            if self._waiting and not made:
                self.acquire(self._waiting.popleft())
        elif exchange.over:
            self.release(connection)
        else:
            exchange.send(connection)


def poll_readable(fileno: int) -> bool:
    """Whether a read on this socket would return now: data that nobody asked for, or its end."""
    poller = select.poll()
    poller.register(fileno, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poller.poll(0))
