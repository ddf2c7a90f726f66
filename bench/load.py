"""How does a closed loop of clients load one proxy, and what did each answer say?

Reads one `Order` as a JSON line from stdin, carries it out, prints its `Result` as a JSON line; and so on
until stdin ends. Every request has the next of 100,000 user ids, in an order that is shuffled once, so that
no proxy's cache is flattered. Every answer is checked: status 200, a backend's body, whole.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from array import array
from typing import cast

import msgspec
import uvloop

from bench.backend import answer_body

UNITS = 100_000
_BODY = json.dumps({"instances": [[round(i / 7, 3) for i in range(28)]]}).encode().ljust(200)
_BODIES = {answer_body(name): name for name in "ab"}
_ANSWER = len(answer_body("a"))


class Order(msgspec.Struct, frozen=True):
    """How many requests to send where; ``needs`` is text that every answer's head must hold (empty: none)."""

    port: int
    requests: int
    connections: int
    path: str
    needs: str = ""


class Result(msgspec.Struct, frozen=True):
    """What came back: wall-clock seconds, errors by kind, answers by backend, and latencies."""

    seconds: float
    errors: dict[str, int]
    served: dict[str, int]
    p50_us: float
    p99_us: float


def requests_of(path: str) -> list[bytes]:
    """One whole request per unit, in a shuffled order that is the same in every run."""
    units = list(range(UNITS))
    random.Random(20_240).shuffle(units)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\naccept: */*\r\n"
        f"content-type: application/json\r\ncontent-length: {len(_BODY)}\r\nx-user-id: user-"
    ).encode()
    return [b"%s%06d\r\n\r\n%s" % (head, unit, _BODY) for unit in units]


class Run:
    """One order: what is still to be sent, and what came back."""

    def __init__(self, requests: list[bytes], first: int, count: int, needs: bytes) -> None:
        self.requests = requests
        self.next = first
        self.end = first + count
        self.waiting = count
        self.needs = needs
        self.errors: dict[str, int] = {}
        self.served = {"a": 0, "b": 0}
        self.latencies = array("q")
        self.done = asyncio.get_running_loop().create_future()

    def settle(self, error: str | None = None, count: int = 1) -> None:
        """``count`` requests are answered, or lost in one way."""
        self.waiting -= count
        if error is not None:
            self.errors[error] = self.errors.get(error, 0) + count
        if self.waiting <= 0 and not self.done.done():
            self.done.set_result(None)


class Client(asyncio.Protocol):
    """One connection that has one request outstanding."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._held = b""
        self._sent = 0
        self._outstanding = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's class is not registered as one

    def send(self) -> None:
        """The next request, if one is left."""
        run = self._run
        if run.next >= run.end or self.transport is None:
            return
        request = run.requests[run.next % UNITS]
        run.next += 1
        self._outstanding = True
        self._sent = time.perf_counter_ns()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        end = data.find(b"\r\n\r\n")
        if end < 0 or (len(data) - end - 4 < _ANSWER and data.startswith(b"HTTP/1.1 200")):
            self._held = data
            return
        self._held = b""
        run = self._run
        name = _BODIES.get(data[end + 4 :])
        if name is None or not data.startswith(b"HTTP/1.1 200"):
            self._fail("not the backend's answer: " + data[:60].decode("latin-1"))
        elif run.needs and data.find(run.needs, 0, end) < 0:
            self._fail("the answer's head lacks " + run.needs.decode())
        else:
            run.latencies.append(time.perf_counter_ns() - self._sent)
            run.served[name] += 1
            self._outstanding = False
            run.settle()
            self.send()

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        if self._outstanding:
            self._fail("connection lost")

    def _fail(self, why: str) -> None:
        """One request is lost, and with it this connection; nobody sends the rest when all are gone."""
        self._outstanding = False
        self._run.settle(why)
        if self.transport is not None:
            self.transport.abort()
            self.transport = None


async def carry_out(order: Order, requests: list[bytes], first: int) -> Result:
    """One order from its first connection to its last answer; from unit number ``first`` on."""
    loop = asyncio.get_running_loop()
    run = Run(requests, first, order.requests, order.needs.encode())
    clients = []
    for _ in range(order.connections):
        _, client = await loop.create_connection(lambda: Client(run), "127.0.0.1", order.port)
        clients.append(client)

    started = time.perf_counter()
    for client in clients:
        client.send()
    while not run.done.done():
        await asyncio.wait([run.done], timeout=1)
        if all(client.transport is None for client in clients) and not run.done.done():
            run.settle("never sent: every connection was lost", run.waiting)
    seconds = time.perf_counter() - started

    for client in clients:
        if client.transport is not None:
            client.transport.close()
    latencies = sorted(run.latencies) or [0]
    return Result(
        seconds=seconds,
        errors=run.errors,
        served=run.served,
        p50_us=latencies[len(latencies) // 2] / 1e3,
        p99_us=latencies[len(latencies) * 99 // 100] / 1e3,
    )


def main() -> None:
    """Orders from stdin, results to stdout."""
    made: dict[str, list[bytes]] = {}
    first = 0
    for line in sys.stdin:
        order = msgspec.json.decode(line, type=Order)
        if order.path not in made:
            made[order.path] = requests_of(order.path)
        result = uvloop.run(carry_out(order, made[order.path], first))
        first += order.requests
        print(msgspec.json.encode(result).decode(), flush=True)


if __name__ == "__main__":
    main()
