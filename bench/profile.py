"""On which functions does the worker spend its time while it is under load?

Sampled from outside by py-spy, so that the worker runs as it always does. Time in C (parsers, sockets,
hashes) is booked to the Python function that called it.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

from rich.console import Console

from bench.contestants import find
from bench.load import Order
from bench.processes import LoadGenerator

_SAMPLES_PER_SECOND = 500


def print_profile(
    console: Console, pid: int, load: LoadGenerator, order: Order, raw: Path, lines: int
) -> None:
    """The functions with the most time of their own, and that with what they call, during one order."""
    try:
        command = [find("py-spy"), "record", "--pid", str(pid), "--format", "raw", "--output", str(raw)]
    except FileNotFoundError:
        console.print("py-spy is not installed: no profile")
        return
    command += ["--rate", str(_SAMPLES_PER_SECOND), "--duration", "3600", "--nonblocking"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sampler:
        load.run(order)
        sampler.send_signal(2)
        sampler.wait(60)

    own, all_in = read_stacks(raw.read_text())
    total = sum(own.values())
    console.print(f"{total} samples; share of them in the function itself, and with what it calls")
    for name, samples in own.most_common(lines):
        console.print(
            f"{samples / total:7.1%} {all_in[name] / total:7.1%}  {name}", markup=False, highlight=False
        )


def read_stacks(raw: str) -> tuple[Counter[str], Counter[str]]:
    """Samples per innermost function, and per function anywhere on the stack, from ``a;b;c COUNT`` lines."""
    own: Counter[str] = Counter()
    all_in: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        names = [frame.rpartition(":")[0] or frame for frame in stack.split(";")]
        own[names[-1]] += int(count)
        for name in set(names):
            all_in[name] += int(count)
    return own, all_in
