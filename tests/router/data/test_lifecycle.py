"""What do clients notice, and what do the counts say, when a process dies, drains, or Redis is gone?"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from policies.assignment import assign
from policies.plan import Plan
from router.store.embedded import find_server
from router.token import read_token
from tests.router.data.backend import Backend
from tests.router.data.conftest import experiment
from tests.router.data.service import Service, free_port, is_running, serving, until

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


def owner(service: Service, client_port: int) -> int | None:
    """The worker that holds the connection from this port."""
    ends = f":{service.port:04X} ", f":{client_port:04X} "
    for line in Path("/proc/net/tcp").read_text().splitlines():
        fields = line.split()
        if (fields[1] + " ").endswith(ends[0]) and (fields[2] + " ").endswith(ends[1]):
            inode = f"socket:[{fields[9]}]"
            for pid in service.workers():
                for entry in Path(f"/proc/{pid}/fd").iterdir():
                    if os.path.realpath(entry).endswith(inode):
                        return pid
    return None


def holder(service: Service, client_port: int) -> int:
    """The same, once a worker has accepted it."""
    pid = until(lambda: owner(service, client_port), "a worker holds the connection")
    assert isinstance(pid, int)
    return pid


@pytest.fixture
def four(main_backend: Backend, challenger_backend: Backend, tmp_path: Path) -> Iterator[Service]:
    with serving(config(main_backend, challenger_backend), tmp_path, workers=4) as service:
        yield service


def test_four_workers_agree_with_the_published_assignment(four: Service) -> None:
    plan = Plan("ranker", {"champion": 80, "challenger": 20})
    names = {"champion": "main", "challenger": "challenger"}
    asked: set[int] = set()
    for _ in range(40):
        with four.connect() as connection:
            port = connection.socket.getsockname()[1]
            asked.add(holder(four, port))
            for number in range(25):
                answer = connection.request("GET", "/", f"X-User-Id: user-{number}")
                expected = assign(plan, f"user-{number}".encode()).variant
                assert answer.json()["backend"] == names[expected]
        if len(asked) == 4:
            return
    raise AssertionError(f"only {len(asked)} workers were reached")


def test_killed_worker_is_replaced_and_nobody_else_notices(four: Service) -> None:
    with load(four) as running:
        running.reach(400)
        owners = {number: holder(four, port) for number, port in running.ports.items()}
        victim = max(set(owners.values()), key=list(owners.values()).count)
        os.kill(victim, signal.SIGKILL)
        running.reach(400)
        until(lambda: len(set(four.workers()) - {victim}) == 4, "a new worker is there", 2)
        running.reach(400)
    hurt = {failure.client for failure in running.failures}
    assert hurt <= {number for number, pid in owners.items() if pid == victim}
    assert len(running.failures) <= len(hurt)
    assert not any(failure.refused for failure in running.failures)
    assert set(running.statuses) == {200}
    until(lambda: sum(recorded(four).values()) >= running.answered - 400, "what survived is counted")
    assert sum(recorded(four).values()) <= running.sent


def test_every_worker_can_be_killed_one_after_another(four: Service) -> None:
    with load(four) as running:
        for victim in four.workers():
            running.reach(100)
            os.kill(victim, signal.SIGKILL)
            until(lambda victim=victim: len(set(four.workers()) - {victim}) == 4, "a new worker is there")
        running.reach(400)
    assert set(running.statuses) == {200}
    assert not any(failure.refused for failure in running.failures)
    assert sum(recorded(four).values()) <= running.sent


def test_term_answers_everything_that_was_accepted(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    with serving(config(main_backend, challenger_backend), tmp_path, workers=2) as service:
        running = Load(service)
        running.reconnect = False
        running.reach(500)
        held = service.connect()
        held.send_request("GET", "/?do=hold&gate=drain&case=drain", "X-User-Id: held")
        both = (main_backend, challenger_backend)
        until(lambda: any("case=drain" in head.target for b in both for head in b.heads), "it is under way")
        service.process.send_signal(signal.SIGTERM)
        until(lambda: not is_listening(service.port), "no new connections are taken")
        for backend in both:
            backend.open("drain")
        assert held.response().status == 200
        held.socket.close()
        running.stop()
        assert service.stop() == 0
    assert set(running.statuses) == {200}
    # A client may only fail to come back once there is nobody any more.
    assert [failure for failure in running.failures if failure.served or not failure.refused] == []
    assert running.answered == running.sent - sum(not failure.refused for failure in running.failures)


def is_listening(port: int) -> bool:
    """Whether a connection is accepted."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_counts_are_exact_and_survive_a_restart(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    document = config(main_backend, challenger_backend)
    with serving(document, tmp_path, workers=2) as service:
        with load(service) as running:
            running.reach(1000)
        assert not running.failures
        until(equals(service, running.variants), "the report equals the clients' counts")
        expected = running.variants
    with serving(document, tmp_path, workers=2) as service:
        assert recorded(service) == dict(expected)
        with load(service) as running:
            running.reach(300)
        until(equals(service, expected + running.variants), "the counts go on")


def test_kill_of_the_embedded_redis_loses_nothing(four: Service) -> None:
    with load(four) as running:
        for _ in range(3):
            running.reach(300)
            before = four.children("redis-server")
            assert before
            os.kill(before[0], signal.SIGKILL)
            until(lambda before=before: set(four.children("redis-server")) - set(before), "Redis is back")
        running.reach(300)
    assert (running.failures, set(running.statuses)) == ([], {200})
    until(equals(four, running.variants), "the report equals the clients' counts")


class Redis:
    """A Redis of the test's own, which can be away for as long as the test wants."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._log = (folder / "redis.log").open("w")
        self.start()

    def start(self) -> None:
        """Start it on the data that is there."""
        command = [str(find_server()), "--port", str(self.port), "--dir", str(self._folder)]
        command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        until(lambda: is_listening(self.port), "Redis listens")

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it."""
        self.kill()
        self._log.close()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def outside(
    redis: Redis, main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> Iterator[Service]:
    """Two workers on a Redis that is not theirs."""
    url = f"redis://127.0.0.1:{redis.port}/0"
    document = config(main_backend, challenger_backend)
    with serving(document, tmp_path / "service", 2, "--redis", url) as service:
        yield service


def test_redis_away_for_seconds_under_load(outside: Service, redis: Redis) -> None:
    with load(outside) as running:
        running.reach(500)
        redis.kill()
        gone = time.monotonic()
        while time.monotonic() < gone + 6:
            running.reach(100)
        redis.start()
        running.reach(500)
    assert (running.failures, set(running.statuses)) == ([], {200})
    until(equals(outside, running.variants), "the report equals the clients' counts")


def test_redis_that_hangs_counts_nothing_twice(outside: Service, redis: Redis) -> None:
    # The batch that was under way may have been counted: it is sent again and must not count again.
    with load(outside) as running:
        for _ in range(3):
            running.reach(300)
            redis.process.send_signal(signal.SIGSTOP)
            gone = time.monotonic()
            while time.monotonic() < gone + 2.5:
                running.reach(100)
            redis.process.send_signal(signal.SIGCONT)
        running.reach(300)
    assert (running.failures, set(running.statuses)) == ([], {200})
    until(equals(outside, running.variants), "the report equals the clients' counts")


def test_stop_while_redis_is_away_keeps_the_counts_for_the_next_start(
    redis: Redis, main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    url = f"redis://127.0.0.1:{redis.port}/0"
    document = config(main_backend, challenger_backend)
    with serving(document, tmp_path / "service", 2, "--redis", url) as service:
        with load(service) as running:
            running.reach(300)
            redis.kill()
            running.reach(300)
        assert (running.failures, set(running.statuses)) == ([], {200})
        service.stop(60)
    redis.start()
    with serving(document, tmp_path / "service", 2, "--redis", url) as service:
        until(equals(service, running.variants), "the report equals the clients' counts")


def test_workers_that_start_without_redis_route_by_the_last_state(outside: Service, redis: Redis) -> None:
    assert outside.request("GET", "/", "X-User-Id: a").status == 200
    redis.kill()
    old = set(outside.workers())
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len([p for p in outside.workers() if p not in old and is_running(p)]) == 2, "new workers")
    answer = until(lambda: asked(outside), "they serve")
    assert re.fullmatch("champion|challenger", answer)
    redis.start()


def asked(service: Service) -> str | None:
    """The variant of one request, or None where nobody answers yet."""
    try:
        answer = service.request("GET", "/", "X-User-Id: a")
    except (OSError, AssertionError):
        return None
    return read_token(answer.head.value("x-turnout-token") or "", service.key).variant


def test_control_process_that_dies_is_replaced_and_requests_go_on(four: Service) -> None:
    with load(four) as running:
        running.reach(200)
        (before,) = four.children("router.control")
        os.kill(before, signal.SIGKILL)
        running.reach(200)
        until(lambda: set(four.children("router.control")) - {before}, "a new control process is there")
    assert (running.failures, set(running.statuses)) == ([], {200})

    until(equals(four, running.variants), "the report equals the clients' counts")
