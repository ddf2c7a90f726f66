"""The real thing: the demo finds the better model, its printed lines work, and no process outlives it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.router.cli.demo.running import DEMO, Run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found by /proc")


@contextmanager
def started(run: Run, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A demo that has begun to count, with all its processes there."""
    command = [*DEMO, "--seconds", "300", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=run.environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "SRM" in line:
                break
        try:
            yield process
        finally:
            run.kill()


def test_it_finds_the_better_model_and_its_lines_work_as_printed(demo_run: Run) -> None:
    done = subprocess.run(
        [*DEMO, "--seconds", "10"], capture_output=True, text=True, env=demo_run.environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert demo_run.left_behind() == []
    assert re.findall(r"^(yes|NO) ", done.stdout, re.MULTILINE) == ["yes"] * 4
    twice = re.search(r"of (\d+) posted again, (\d+) were known", done.stdout)
    assert twice
    assert int(twice[1]) == int(twice[2]) > 0

    lines = [
        line for line in done.stdout.partition("How to go on:\n")[2].splitlines() if not line.startswith("#")
    ]
    assert len(lines) == 7
    script = "\n".join(f"{line}\necho '<end>'" for line in lines) + "\nwait"
    shell = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=demo_run.environment, check=False
    )
    _, health, asked, _, outcome, report, *_ = (part.strip() for part in shell.stdout.split("<end>"))
    assert json.loads(health)["status"] == "ok", shell.stderr
    assert asked.startswith("HTTP/1.1 200")
    assert "x-turnout-token: " in asked
    assert json.loads(asked.splitlines()[-1])["outputs"][0]["datatype"] == "INT64"
    assert [result["status"] for result in json.loads(outcome)["results"]] == ["accepted"]
    assert json.loads(report)["experiment"] == "digits"
    assert demo_run.gone(within=60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_all_its_processes(demo_run: Run, number: signal.Signals) -> None:
    with started(demo_run) as process:
        # Itself, two models, the supervisor, Redis, the control process and two workers.
        assert len(demo_run.processes()) >= 8
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert demo_run.left_behind() == []


def test_it_leaves_nothing_behind_even_when_it_is_killed(demo_run: Run) -> None:
    with started(demo_run) as process:
        process.kill()
        assert process.wait(10) == -signal.SIGKILL
        assert demo_run.gone(within=60)


def test_it_fails_and_says_who_when_a_model_dies(demo_run: Run) -> None:
    command = [*DEMO, "--seconds", "300"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=demo_run.environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "SRM" in line:
                break
        model = next(pid for pid, command in demo_run.processes().items() if "--model strong" in command)
        os.kill(model, signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
    assert "the strong model's server ended with status -9" in errors
    assert demo_run.left_behind() == []


def test_ctrl_c_on_a_terminal_ends_the_live_table_and_all_processes(demo_run: Run) -> None:
    master, slave = pty.openpty()
    take = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    code = take + "os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *DEMO, "--seconds", "300"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**demo_run.environment, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(slave)
    shown = b""
    pressed = False
    with suppress(OSError):  # EIO: the terminal's other side was closed by the last process that had it
        while chunk := os.read(master, 65536):
            shown += chunk
            if b"p-value" in shown and not pressed:
                pressed = bool(os.write(master, b"\x03"))
    os.close(master)
    assert process.wait(60) == 128 + signal.SIGINT
    assert demo_run.left_behind() == []
    for column in (b"requests", b"split", b"accuracy", b"effect", b"95 % interval", b"p-value", b"SRM"):
        assert column in shown


@pytest.mark.parametrize("option", [["--seconds", "0"], ["--rate", "0"], ["--port", "70000"], ["--nothing"]])
def test_options_out_of_range_are_refused_before_anything_starts(demo_run: Run, option: list[str]) -> None:
    done = subprocess.run(
        [*DEMO, *option], capture_output=True, text=True, env=demo_run.environment, check=False
    )
    assert done.returncode == 2
    assert option[0] in done.stderr
