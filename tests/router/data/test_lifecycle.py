"""What do clients notice, and what do the counts say, when a process dies or drains, in either shape?"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from policies.assignment import assign
from policies.plan import Plan
from tests.router.data.backend import Backend
from tests.router.data.load import Load, config, equals, load, recorded
from tests.router.data.own_redis import OwnRedis
from tests.router.data.service import Service, Shape, is_listening, serving, until


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
def four(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path, shape: Shape
) -> Iterator[Service]:
    with serving(config(main_backend, challenger_backend), tmp_path, 4, shape=shape) as service:
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
        until(lambda: len(set(four.workers()) - {victim}) == 4, "a new worker is there")
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
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path, shape: Shape
) -> None:
    with serving(config(main_backend, challenger_backend), tmp_path, 2, shape=shape) as service:
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


def test_counts_are_exact_and_survive_a_restart(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path, shape: Shape, redis: OwnRedis
) -> None:
    document = config(main_backend, challenger_backend)
    redis_url = redis.url if shape == "apart" else None
    with serving(document, tmp_path, 2, shape=shape, redis_url=redis_url) as service:
        with load(service) as running:
            running.reach(1000)
        assert not running.failures
        until(equals(service, running.variants), "the report equals the clients' counts")
        expected = running.variants
    with serving(document, tmp_path, 2, shape=shape, redis_url=redis_url) as service:
        assert recorded(service) == dict(expected)
        with load(service) as running:
            running.reach(300)
        until(equals(service, expected + running.variants), "the counts go on")


def test_control_process_that_dies_is_replaced_and_requests_go_on(four: Service) -> None:
    with load(four) as running:
        running.reach(200)
        (before,) = four.children("router.control")
        os.kill(before, signal.SIGKILL)
        running.reach(200)
        until(lambda: set(four.children("router.control")) - {before}, "a new control process is there")
    assert (running.failures, set(running.statuses)) == ([], {200})

    until(equals(four, running.variants), "the report equals the clients' counts")
