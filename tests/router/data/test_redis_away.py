"""What do clients notice, and what do the counts say, when Redis is away, in either shape?"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.token import read_token
from tests.router.data.backend import Backend
from tests.router.data.load import config, equals, load
from tests.router.data.own_redis import OwnRedis
from tests.router.data.service import Service, Shape, is_running, serving, until


def test_kill_of_the_embedded_redis_loses_nothing(
    main_backend: Backend, challenger_backend: Backend, tmp_path: Path
) -> None:
    with serving(config(main_backend, challenger_backend), tmp_path, 4) as four:
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


@pytest.fixture
def outside(
    redis: OwnRedis, main_backend: Backend, challenger_backend: Backend, tmp_path: Path, shape: Shape
) -> Iterator[Service]:
    """Two workers on a Redis that is not theirs."""
    document = config(main_backend, challenger_backend)
    with serving(document, tmp_path / "service", 2, shape=shape, redis_url=redis.url) as service:
        yield service


def test_redis_away_for_seconds_under_load(outside: Service, redis: OwnRedis) -> None:
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


def test_redis_that_hangs_counts_nothing_twice(outside: Service, redis: OwnRedis) -> None:
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
    redis: OwnRedis, main_backend: Backend, challenger_backend: Backend, tmp_path: Path, shape: Shape
) -> None:
    document = config(main_backend, challenger_backend)
    with serving(document, tmp_path / "service", 2, shape=shape, redis_url=redis.url) as service:
        with load(service) as running:
            running.reach(300)
            redis.kill()
            running.reach(300)
        assert (running.failures, set(running.statuses)) == ([], {200})
        service.stop()
    redis.start()
    with serving(document, tmp_path / "service", 2, shape=shape, redis_url=redis.url) as service:
        until(equals(service, running.variants), "the report equals the clients' counts")


def test_workers_that_start_without_redis_route_by_the_last_state(outside: Service, redis: OwnRedis) -> None:
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
