"""Does everybody who shares the memory see whose event loop turns?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.heartbeats import Heartbeats, make_shared

BEATING = """
import sys
from router.heartbeats import Heartbeats
Heartbeats(int(sys.argv[1]), 3).beat(1)
"""


@pytest.fixture
def shared() -> Iterator[int]:
    descriptor = make_shared(3)
    yield descriptor
    os.close(descriptor)


def test_nobody_is_there_at_first(shared: int) -> None:
    assert Heartbeats(shared, 3).ages() == [None, None, None]


def test_the_age_is_the_time_since_the_last_beat_until_the_place_is_cleared(
    shared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("router.heartbeats.monotonic", lambda: now)
    beats = Heartbeats(shared, 3)
    beats.beat(0)
    now = 102.5
    beats.beat(2)
    assert beats.ages() == [2.5, None, 0.0]
    beats.clear(0)
    assert beats.ages() == [None, None, 0.0]


def test_another_process_beat_is_seen(shared: int) -> None:
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", BEATING, str(shared)]
    subprocess.run(command, pass_fds=[shared], check=True, env=os.environ | {"PYTHONPATH": root})
    first, second, third = Heartbeats(shared, 3).ages()
    assert (first, third) == (None, None)
    assert second is not None
