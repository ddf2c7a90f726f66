"""Children say when they are ready, are heard when they fail, and never outlive the demo."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from router.cli.demo.children import ChildError, Children


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


def running(pid: int) -> bool:
    """Whether there is such a process; one that ended and waits for init to collect it is none."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


SLEEP = "import signal; print('ready: here', flush=True); signal.pause()"


async def test_it_is_ready_when_it_says_so_and_gone_after_the_context() -> None:
    async with Children() as children:
        child = await children.start("sleeper", python(SLEEP), {})
        assert await child.ready(30) == "ready: here"
        assert running(child.process.pid)
    assert child.process.returncode == -signal.SIGTERM


async def test_its_last_words_are_in_the_error_when_it_cannot_start() -> None:
    async with Children() as children:
        child = await children.start("liar", python("print('no port'); raise SystemExit(3)"), {})
        with pytest.raises(ChildError, match=r"liar ended with status 3; it said last:\n  no port"):
            await child.ready(30)


async def test_one_that_never_gets_ready_is_an_error_too() -> None:
    async with Children() as children:
        child = await children.start("sleeper", python("import signal; signal.pause()"), {})
        with pytest.raises(ChildError, match="not ready within 0 s; it said nothing"):
            await child.ready(0)


async def test_work_ends_with_an_error_when_a_process_ends_under_it() -> None:
    async with Children() as children:
        child = await children.start("sleeper", python(SLEEP), {})
        await child.ready(30)

        async def work() -> None:
            child.process.kill()
            await asyncio.Event().wait()

        with pytest.raises(ChildError, match="sleeper ended with status -9"):
            await children.while_alive(work())


async def test_what_the_work_returns_is_returned() -> None:
    async with Children() as children:
        await children.start("sleeper", python(SLEEP), {})
        assert await children.while_alive(asyncio.sleep(0, "done")) == "done"


async def test_one_that_ignores_sigterm_is_killed_with_its_own_children() -> None:
    code = (
        "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); other = os.fork();"
        "other and print('ready:', other, flush=True); signal.pause()"
    )
    async with Children(patience=0.1) as children:
        child = await children.start("stubborn", python(code), {})
        grandchild = int((await child.ready(30)).split()[1])
    assert child.process.returncode == -signal.SIGKILL
    while running(grandchild):
        await asyncio.sleep(0.01)


async def test_it_does_not_see_the_settings_of_somebodys_own_router(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_REDIS", "redis://elsewhere")
    code = "from os import environ as e; print('ready:', e.get('TURNOUT_REDIS'), e['GIVEN'], bool(e['PATH']))"
    async with Children() as children:
        child = await children.start("reader", python(code), {"GIVEN": "x"})
        assert await child.ready(30) == "ready: None x True"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
def test_it_ends_when_the_demo_is_killed() -> None:
    code = f"""
import asyncio, signal
from router.cli.demo.children import Children

async def main():
    async with Children() as children:
        child = await children.start("sleeper", {python(SLEEP)!r}, {{}})
        await child.ready(30)
        print(child.process.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
    with subprocess.Popen(python(code), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    while running(pid):
        time.sleep(0.01)
