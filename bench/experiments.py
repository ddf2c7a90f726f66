"""Does a request's cost grow with the number of experiments on its router, and what does a new plan cost?

python -m bench.experiments

The request's whole path in one worker, from the client's bytes to the answer's, on transports that only keep
what is written: CPU time, for requests of the fastest of many batches. No sockets, so take the differences.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Annotated, Any, cast

import typer
import uvloop
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table
from uvicorn.server import ServerState

from router.config_file import read_settings
from router.data.downstream import ClientConnection
from router.data.plane import Plane
from router.data.recorder import Recorder
from router.data.upstream import BackendConnection
from router.epochs import advance
from router.state import State, decode_state, encode_state
from router.store.records import Batch

_BATCH = 250
_REPLANS = 9
_LAYERS = 20
_OF_ONE_LAYER = 50
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n" + b"x" * 20
_BODY = b'{"user": {"plan": "pro"}, "inputs": [{"name": "x", "shape": [1, 4], "data": [1, 2, 3, 4]}]}'

Audiences = dict[str, dict[str, Any]]


class Sink(asyncio.Transport):
    """A transport that keeps nothing but what was written last."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.last: bytes | bytearray | memoryview = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.last = data

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        return None

    def resume_reading(self) -> None:
        return None


def configuration(routed: Audiences, others: int) -> dict[str, Any]:
    """A route ``/bench`` with these experiments, and as many more, in layers, each on a route of its own."""
    names = [f"e{number}" for number in range(others)]
    audiences = routed | {
        name: {"layer": f"l{number % _LAYERS}", "part": _part(number // _LAYERS, -(-others // _LAYERS))}
        for number, name in enumerate(names)
    }
    return {
        "backends": {"a": {"url": "http://127.0.0.1:9001"}, "b": {"url": "http://127.0.0.1:9002"}},
        "layers": {f"l{number}": {} for number in range(_LAYERS)} | {"own": {}},
        "routes": [
            {"path": "/bench", "backend": "a", "experiment": list(routed)},
            *({"path": f"/{name}", "backend": "a", "experiment": name} for name in names),
        ],
        "experiments": {
            name: {
                "unit": [{"header": "x-user-id"}],
                "variants": {"old": {"backend": "a", "weight": 80}, "new": {"backend": "b", "weight": 20}},
                "control": "old",
                "audience": audience,
            }
            for name, audience in audiences.items()
        },
    }


def _part(index: int, of: int) -> list[float]:
    return [index / of, (index + 1) / of]


def state_of(routed: Audiences, others: int) -> State:
    """The state of that configuration."""
    return advance(None, read_settings(configuration(routed, others)), 0.0, key=bytes(32))


async def _sent(batch: Batch) -> bool:
    return True


def plane_of(state: State, folder: Path) -> tuple[Plane, float]:
    """A plane in force of a state, with an idle connection to each backend; and how long adopting took."""
    plane = Plane(Recorder("bench", _sent, folder))
    started = process_time()
    plane.adopt(state)
    took = process_time() - started
    for pool in plane.pools.values():
        address = pool.addresses[0]
        connection = BackendConnection(pool, address)
        connection.connection_made(Sink())
        connection.idle_since = plane.now + 1e9
        address.idle.append(connection)
        address.open += 1
    return plane, took


def _requests() -> Iterator[bytes]:
    head = (
        b"POST /bench/infer HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\naccept: */*\r\n"
        b"content-type: application/json\r\nx-country: NZ\r\nx-user-id: user-%06d\r\n"
        b"content-length: %d\r\n\r\n"
    )
    for number in range(100_000):
        yield head % (number, len(_BODY)) + _BODY


def request_cost(plane: Plane, batches: int) -> float:
    """Seconds for one request on ``/bench``, the fastest batch's."""
    client = ClientConnection(plane, server_state=cast(Any, ServerState()))
    client.connection_made(Sink())
    fastest = float("inf")
    requests = _requests()
    for number in range(batches):
        batch = [next(requests) for _ in range(_BATCH)]
        started = process_time()
        for request in batch:
            client.data_received(request)
            plane.send_all()
            assert client.current is not None
            assert client.current.connection is not None
            client.current.connection.data_received(_ANSWER)
            plane.send_all()
        took = process_time() - started
        if number:
            fastest = min(fastest, took / _BATCH)
        plane.recorder.take(0.0)
    return fastest


def replan_cost(plane: Plane, state: State) -> tuple[float, float]:
    """Seconds to read a state in which one experiment has a new plan, and to adopt it: the medians."""
    name = next(iter(state.epochs))
    decoding, adopting = [], []
    for number in range(_REPLANS):
        epoch = replace(state.epochs[name], number=2 + number)
        document = encode_state(replace(state, version=2 + number, epochs={**state.epochs, name: epoch}))
        started = process_time()
        following = decode_state(document)
        decoding.append(process_time() - started)
        started = process_time()
        plane.adopt(following)
        adopting.append(process_time() - started)
    return sorted(decoding)[_REPLANS // 2], sorted(adopting)[_REPLANS // 2]


def by_number(console: Console, folder: Path, batches: int) -> None:
    """The same route with more and more experiments beside it."""
    table = Table("experiments", title="One plain experiment on the route, others on other routes")
    for column in ("request us", "first build ms", "read new plan ms", "adopt new plan ms", "KiB/experiment"):
        table.add_column(column, justify="right")
    for number in (1, 10, 100, 1_000):
        gc.collect()
        before = _resident()
        state = state_of({"plain": {}}, number - 1)
        plane, built = plane_of(state, folder)
        memory = (_resident() - before) / number
        cost = request_cost(plane, batches)
        decoding, adopting = replan_cost(plane, state)
        table.add_row(
            f"{number:,}",
            f"{cost * 1e6:.1f}",
            *(f"{seconds * 1e3:.1f}" for seconds in (built, decoding, adopting)),
            f"{memory / 1024:.1f}" if number >= 100 else "",
        )
    console.print(table)


def by_audience(console: Console, folder: Path, batches: int) -> None:
    """What is asked on one route, beside 1,000 experiments on others."""
    layered = {
        f"x{number}": {"layer": "own", "part": _part(number, _OF_ONE_LAYER)}
        for number in range(_OF_ONE_LAYER)
    }
    header = '"x-country" in request.headers && request.headers["x-country"] == "NZ"'
    cases: dict[str, Audiences] = {
        "no experiment": {},
        "one, for everybody": {"x": {}},
        "one, half of the units": {"x": {"share": 0.5}},
        "two of one layer": {name: layered[name] for name in ("x0", "x1")},
        f"{_OF_ONE_LAYER} of one layer": layered,
        "a condition on a header": {"x": {"when": header}},
        "a condition on the JSON body": {"x": {"when": 'request.json.user.plan == "pro"'}},
    }
    table = Table("the route's experiments", title="1,000 experiments on other routes")
    table.add_column("request us", justify="right")
    for name, audiences in cases.items():
        gc.collect()
        plane, _ = plane_of(state_of(audiences, 1_000), folder)
        table.add_row(name, f"{request_cost(plane, batches) * 1e6:.1f}")
    console.print(table)


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(
    batches: Annotated[int, typer.Option(help="Batches of 250 requests for each figure.")] = 100,
) -> None:
    """Print both tables."""
    console = Console()

    async def run(part: Callable[[Console, Path, int], None]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            part(console, Path(folder), batches)

    for part in (by_number, by_audience):
        uvloop.run(run(part))


if __name__ == "__main__":
    typer.run(main)
