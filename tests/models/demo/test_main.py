"""The process: it says where it serves, stops on SIGTERM, and refuses what it does not know."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import httpx
import pytest


def test_it_announces_its_address_serves_and_stops_on_sigterm() -> None:
    command = [sys.executable, "-m", "models.demo", "--model", "weak", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(
            r"ready: digits version 1 \(weak, \w+, held-out accuracy 0\.\d{4}\) on (http://127\.0\.0\.1:\d+)\n",
            line,
        )
        assert found, line
        assert httpx.get(f"{found[1]}/v2/health/ready").json()["ready"] is True
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in (0, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "medium"], "choose from"),
        (["--model", "weak", "--fail-share", "2"], "from 0 to 1"),
        (["--model", "weak", "--latency-ms", "nan"], "0 or more"),
    ],
)
def test_it_refuses_what_it_cannot_do(arguments: list[str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "models.demo", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert says in done.stderr
