"""How are requests sent at a rate that the answers do not slow down (an open loop)?

Arrivals are those of independent users: a Poisson process, by a seed. A request whose turn it is takes an
idle connection or a new one; when all that are allowed are busy it waits, and the time counts.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import cast

import httptools

from router.cli.loadtest.steps import Step, percentile

_TICK = 0.001
_LATE = 0.02
_FINAL = 200
_TOO_MANY = 429
_FAILED = 500
_FRAMING = frozenset((b"content-length", b"transfer-encoding"))


@dataclass(frozen=True, slots=True)
class Aim:
    """Where to, over at most how many connections, and how long an answer may take (seconds)."""

    host: str
    port: int
    connections: int
    timeout: float


class Connection(asyncio.Protocol):
    """One connection, with at most one request under way."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._parser = httptools.HttpResponseParser(self)
        self._done = self._keep = False
        self._status = 0
        self._head_only = self._begun = self._framed = False
        self.transport: asyncio.Transport
        self.due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self, message: bytes, due: float) -> None:
        """Send a request that was due at this time."""
        self.due = due
        self._head_only = message.startswith(b"HEAD ")
        self.transport.write(message)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, ValueError):
            self.give_up("no HTTP")
            return
        if self._done:
            self._answered()

    def give_up(self, why: str) -> None:
        """What is under way has failed."""
        if self.due is not None:
            self._sender.failures[why] += 1
        self.due = None
        self.transport.abort()

    def on_message_begin(self) -> None:
        self._begun = self._framed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in _FRAMING:
            self._framed = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        # An interim answer is none; shedding load is what a load test asks about.
        self._begun = status >= _FINAL
        self._status = status
        self._keep = self._parser.should_keep_alive()
        if self._begun and self._head_only:
            # The parser cannot know that no body follows.
            self._done = True
            self._parser = httptools.HttpResponseParser(self)

    def on_message_complete(self) -> None:
        self._done = self._begun

    def connection_lost(self, error: Exception | None) -> None:
        if error is None and self._begun and not self._framed:
            self._answered()  # an answer without a length ends where its connection does
        self._sender.lost(self)

    def _answered(self) -> None:
        self._done = self._begun = False
        due, self.due = self.due, None
        if due is not None:
            self._sender.answered(self, due, self._status, keep=self._keep)


class Sender:
    """Sends to one backend; one step after another."""

    def __init__(self, aim: Aim, messages: Sequence[bytes], seed: int) -> None:
        self._aim = aim
        self._messages = messages
        self._random = random.Random(seed)
        self._next = 0
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._opening = 0
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._latencies: list[float] = []
        self.failures: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def step(self, rate: float, seconds: float, progress: Callable[[int, int], None]) -> Step:
        """Send at a rate for some seconds, and wait for the answers; ``progress``: due, answered so far."""
        self._latencies, self.failures = [], Counter()
        begin = perf_counter()
        end, told, due, late = begin + seconds, begin, 0, 0
        turn = begin + self._random.expovariate(rate)
        while (now := perf_counter()) < end:
            while turn <= min(now, end):
                due += 1
                late += now - turn > _LATE
                self._start(turn)
                turn += self._random.expovariate(rate)
            self._expire(now)
            if now - told >= 0.25:
                told = now
                progress(due, len(self._latencies))
            await asyncio.sleep(min(max(turn - perf_counter(), 0.0), _TICK))
        deadline = perf_counter() + self._aim.timeout + 1.0
        while (self._busy or self._waiting or self._opening) and perf_counter() < deadline:
            self._expire(perf_counter())
            await asyncio.sleep(_TICK)
        progress(due, len(self._latencies))
        ordered = sorted(self._latencies)
        return Step(
            rate=rate,
            seconds=seconds,
            due=due,
            answered=len(ordered),
            failed=due - len(ordered),
            late=late,
            p50=percentile(ordered, 0.5),
            p90=percentile(ordered, 0.9),
            p99=percentile(ordered, 0.99),
            longest=ordered[-1] if ordered else 0.0,
            failures=dict(self.failures.most_common()),
        )

    def close(self) -> None:
        """Close every connection."""
        self._waiting.clear()
        for connection in [*self._idle, *self._busy]:
            connection.transport.abort()

    # -- connections ----------------------------------------------------------------------------------------

    def _start(self, due: float) -> None:
        message = self._messages[self._next % len(self._messages)]
        self._next += 1
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                self._busy.add(connection)
                connection.send(message, due)
                return
        self._waiting.append((message, due))
        self._open_more()

    def _open_more(self) -> None:
        """One more connection, if somebody waits for it and it is allowed."""
        if len(self._busy) + self._opening < self._aim.connections and self._opening < len(self._waiting):
            self._opening += 1
            task = asyncio.get_running_loop().create_task(self._open())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(self._aim.timeout):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self), self._aim.host, self._aim.port
                )
        except (OSError, TimeoutError) as error:
            if self._waiting:
                self._waiting.popleft()
                self.failures["no connection" if isinstance(error, TimeoutError) else _named(error)] += 1
        else:
            self._free(connection)
        finally:
            self._opening -= 1
            self._open_more()

    def answered(self, connection: Connection, due: float, status: int, *, keep: bool) -> None:
        """An answer is complete."""
        self._busy.discard(connection)
        if status < _FAILED and status != _TOO_MANY:
            self._latencies.append(perf_counter() - due)
        else:
            self.failures[f"of status {status}"] += 1
        if keep:
            self._free(connection)
        else:
            connection.transport.close()

    def _free(self, connection: Connection) -> None:
        if self._waiting:
            self._busy.add(connection)
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """A connection is gone, and what was under way on it has failed."""
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if connection.due is not None:
            self.failures["closed before a whole answer"] += 1
        connection.due = None
        self._open_more()

    def _expire(self, now: float) -> None:
        oldest = now - self._aim.timeout
        for connection in [each for each in self._busy if each.due is not None and each.due < oldest]:
            connection.give_up("not answered in time")
        while self._waiting and self._waiting[0][1] < oldest:
            self._waiting.popleft()
            self.failures["not sent in time"] += 1


def _named(error: OSError) -> str:
    """Without the address, which is the same for all."""
    return os.strerror(error.errno).lower() if error.errno else "no connection"
