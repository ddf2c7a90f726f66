"""Does a child of the service start, say that it is ready, and never outlive its parent?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.processes import Child, start
from tests.router.data.service import is_running, until

# What a child may be: a module of its own in the folder from which it is started.
MODULES = {
    "ready": """
import sys, time
from router.processes import say_ready
say_ready(int(sys.argv[1]))
time.sleep(60)
""",
    "silent": """
import sys
sys.exit(3)
""",
    "told": """
import os, pathlib, sys
from router.processes import told
leads = os.getsid(0) == os.getpid()
options, ready = told()
pathlib.Path("told").write_text(f"{options.decode()} {leads} {len(sys.argv)}")
ready()
""",
    "parent": """
import time
from router.processes import start
child = start("child", "ready", b"")
print(child.process.pid, flush=True)
time.sleep(60)
""",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    root = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), root]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def children() -> Iterator[list[Child]]:
    started: list[Child] = []
    yield started
    for child in started:
        child.process.kill()
        child.process.wait()
        child.close()


def said(child: Child) -> bytes | None:
    """What stands in its pipe: the byte, the end, or nothing yet."""
    try:
        return os.read(child.ready_fd, 10)
    except BlockingIOError:
        return None


def test_a_child_says_once_that_it_is_ready(folder: Path, children: list[Child]) -> None:
    child = start("one", "ready", b"{}")
    children.append(child)
    assert child.name == "one"
    assert until(lambda: said(child), "it is ready") == b"1"
    # The pipe is closed on its side, so that its end and its silence can be told apart.
    assert until(lambda: said(child) == b"", "the pipe has ended")
    assert child.process.poll() is None


def test_a_child_that_dies_says_nothing(folder: Path, children: list[Child]) -> None:
    child = start("one", "silent", b"{}")
    children.append(child)
    assert child.process.wait(20) == 3
    assert said(child) == b""


def test_a_child_is_told_its_options_where_nobody_else_reads_in_a_session_of_its_own(
    folder: Path, children: list[Child]
) -> None:
    child = start("one", "told", b'{"a": 1}')
    children.append(child)
    assert child.process.wait(20) == 0
    assert (folder / "told").read_text() == '{"a": 1} True 2'
    assert said(child) == b"1"


def test_a_child_has_the_descriptors_that_it_is_given_and_no_others(
    folder: Path, children: list[Child]
) -> None:
    ours, given = os.open(folder, os.O_RDONLY), os.open(folder, os.O_RDONLY)
    try:
        child = start("one", "ready", b"{}", [given])
        children.append(child)
        until(lambda: said(child), "it is ready")
        held = {int(path.name) for path in Path(f"/proc/{child.process.pid}/fd").iterdir()}
        assert given in held
        assert not {ours, child.ready_fd} & held
    finally:
        os.close(ours)
        os.close(given)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_child_does_not_outlive_a_parent_that_is_killed(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-m", "parent"], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.send_signal(signal.SIGKILL)
    until(lambda: not is_running(pid), "the child has ended")


def test_a_start_that_fails_leaves_no_descriptor_open(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(sys, "executable", str(folder / "nowhere"))
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            start("one", "ready", b"{}")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
