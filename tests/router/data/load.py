"""What do clients see of a service under load, and what does the service count of it?"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from router.token import read_token
from tests.router.data.backend import Backend
from tests.router.data.conftest import experiment
from tests.router.data.service import Service, until

CLIENTS = 8


def config(main: Backend, challenger: Backend) -> dict[str, Any]:
    """Everything is split 80/20 by x-user-id."""
    variants = {
        "champion": {"backend": "main", "weight": 80},
        "challenger": {"backend": "challenger", "weight": 20},
    }
    return {
        "backends": {"main": {"url": main.url}, "challenger": {"url": challenger.url}},
        "routes": [{"path": "/", "backend": "main", "experiment": "ranker"}],
        "experiments": {"ranker": experiment(variants=variants)},
    }


@dataclass(frozen=True, slots=True)
class Failure:
    """What one client met, and how many answers it had had on that connection before."""

    client: int
    error: str
    served: int

    @property
    def refused(self) -> bool:
        """Whether no connection was made."""
        return "ConnectionRefused" in self.error


class Load:
    """Clients that each send one request after another on a connection that they keep, until told to stop."""

    def __init__(self, service: Service, clients: int = CLIENTS) -> None:
        self._service = service
        self.stopping = False
        self.answered = 0
        self.sent = 0
        self.variants: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.failures: list[Failure] = []
        self.ports: dict[int, int] = {}
        self.reconnect = True
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._client, args=(n,), daemon=True) for n in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def _client(self, number: int) -> None:
        turn = 0
        while not self.stopping:
            served = 0
            try:
                with self._service.connect(30) as connection:
                    self.ports[number] = connection.socket.getsockname()[1]
                    while not self.stopping:
                        turn += 1
                        with self._lock:
                            self.sent += 1
                        answer = connection.request(
                            "POST", "/?do=mirror", f"X-User-Id: user-{number}-{turn}", body=b"features"
                        )
                        token = read_token(answer.head.value("x-turnout-token") or "", self._service.key)
                        with self._lock:
                            self.answered += 1
                            served += 1
                            self.variants[token.variant] += 1
                            self.statuses[answer.status] += 1
                        if answer.head.value("connection") == "close":
                            break
            except (OSError, AssertionError) as error:
                with self._lock:
                    self.failures.append(Failure(number, repr(error), served))
                if not self.reconnect:
                    return

    def reach(self, more: int) -> None:
        """Until so many more requests have been answered."""
        goal = self.answered + more
        until(lambda: self.answered >= goal, f"{more} more requests are answered")

    def stop(self) -> None:
        """No more requests; wait for what is under way."""
        self.stopping = True
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


@contextmanager
def load(service: Service) -> Iterator[Load]:
    """Load for as long as the block lasts."""
    running = Load(service)
    try:
        yield running
    finally:
        running.stop()


def recorded(service: Service) -> dict[str, int]:
    """Requests by variant, as the report counts them; none while it cannot be had."""
    try:
        report = service.control("/api/v1/experiments/ranker/report")
    except OSError:
        return {}
    return {variant["name"]: variant["requests"] for variant in report["variants"]}


def equals(service: Service, expected: Counter[str]) -> Callable[[], bool]:
    """Whether the report counts exactly what the clients did."""
    return lambda: recorded(service) == dict(expected)
