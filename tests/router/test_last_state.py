"""Is the last state there, whole and for nobody else, whatever happens while it is written?"""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from router.last_state import load, save
from router.settings import Backend, Route, Settings
from router.state import State


def state(version: int, backends: int = 1) -> State:
    settings = Settings(
        backends={
            f"b{number}": Backend(url=f"http://127.0.0.1:{9000 + number}") for number in range(backends)
        },
        routes=(Route(path="/", backend="b0"),),
    )
    return State(version=version, settings=settings, epochs={}, key=b"k" * 32)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    save(tmp_path, state(1))
    save(tmp_path, state(2))
    assert load(tmp_path) == state(2)


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        save(tmp_path / "made", state(1))
    finally:
        os.umask(before)
    (file,) = (tmp_path / "made").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o700


def test_nothing_else_is_left_behind(tmp_path: Path) -> None:
    for version in range(1, 4):
        save(tmp_path, state(version))
    assert len(list(tmp_path.iterdir())) == 1


def test_there_may_be_none(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    assert load(tmp_path / "nowhere") is None


@pytest.mark.parametrize("content", [b"", b"{}", b"no JSON", b"\xff\xfe", b"[" * 100_000])
def test_what_cannot_be_read_counts_as_none(tmp_path: Path, content: bytes) -> None:
    save(tmp_path, state(1))
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    assert load(tmp_path) is None


def test_a_cut_file_counts_as_none(tmp_path: Path) -> None:
    save(tmp_path, state(1))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert load(tmp_path) is None
    file.write_bytes(whole)
    assert load(tmp_path) == state(1)


def test_a_reader_sees_one_or_the_other(tmp_path: Path) -> None:
    """Of a large and a small state, replaced again and again, never a part of either."""
    small, large = state(1), state(2, backends=500)
    save(tmp_path, small)
    done = threading.Event()

    def replace() -> None:
        for number in range(200):
            save(tmp_path, large if number % 2 else small)
        done.set()

    writer = threading.Thread(target=replace)
    writer.start()
    seen = set()
    while not done.is_set():
        loaded = load(tmp_path)
        assert loaded in (small, large)
        seen.add(loaded.version)
    writer.join()
    assert seen == {1, 2}


def test_a_place_that_cannot_be_written_keeps_what_was_there(tmp_path: Path) -> None:
    save(tmp_path, state(1))
    (tmp_path / f".state.json.{os.getpid()}").mkdir()
    with pytest.raises(OSError, match=r"state\.json"):
        save(tmp_path, state(2))
    assert load(tmp_path) == state(1)
