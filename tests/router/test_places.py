"""Is a process that must be there started again, whatever keeps it from starting?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from router.places import Place
from router.processes import Child
from router.voice import Voice
from tests.router.data.service import until


class Launcher:
    """Starts real processes that say at once that they are ready; fails as often as it is told to."""

    def __init__(self) -> None:
        self.started: list[Child] = []
        self.failures = 0

    def __call__(self) -> Child:
        if self.failures:
            self.failures -= 1
            raise BlockingIOError(11, "Resource temporarily unavailable")
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        program = f"import os, time; os.write({write_fd}, b'1'); time.sleep(60)"
        process = subprocess.Popen([sys.executable, "-c", program], pass_fds=[write_fd])
        os.close(write_fd)
        self.started.append(Child("place", process, read_fd))
        return self.started[-1]


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    launcher = Launcher()
    yield launcher
    for child in launcher.started:
        child.process.kill()
        child.process.wait()


def watched(place: Place) -> bool:
    """Watch once; whether it is ready."""
    place.watch()
    return place.ready


def test_what_dies_is_started_again(launcher: Launcher, capsys: pytest.CaptureFixture[str]) -> None:
    place = Place("the place", launcher, Voice())
    place.start()
    until(lambda: watched(place), "it is ready")
    for number in (2, 3):
        place.signal(signal.SIGKILL)
        until(
            lambda number=number: watched(place) and len(launcher.started) == number, "another one is ready"
        )
        assert place.running
    assert capsys.readouterr().err.count("the place ended with status -9; starting it again\n") == 2
    assert place.child is not None
    place.child.close()


def test_a_start_that_fails_now_is_tried_again(
    launcher: Launcher, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where there is no memory for another process: the supervisor goes on, and so do the others."""
    place = Place("the place", launcher, Voice())
    place.start()
    until(lambda: watched(place), "it is ready")
    launcher.failures = 1
    place.signal(signal.SIGKILL)
    until(lambda: watched(place) and len(launcher.started) == 2, "another one is ready")
    assert "could not be started again" in capsys.readouterr().err
    assert place.running
    assert place.child is not None
    place.child.close()


def test_a_first_start_that_fails_is_told(launcher: Launcher) -> None:
    launcher.failures = 1
    with pytest.raises(BlockingIOError):
        Place("the place", launcher, Voice()).start()


def test_a_signal_to_nobody_is_nothing(launcher: Launcher) -> None:
    place = Place("the place", launcher, Voice())
    place.signal(signal.SIGTERM)
    assert not place.running
