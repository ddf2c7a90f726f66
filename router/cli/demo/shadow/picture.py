"""What does one see of a shadow?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from router.cli.demo.shadow.reading import Reading
from router.cli.demo.users import Tally

_PAIRS = (("candidate", "the candidate"), ("noise", "the current model, asked again"))


def make_table(progress: str, tally: Tally, reading: Reading) -> Table:
    """One row for the candidate, one for the current model's own noise."""
    copies = reading.copies
    caption = (
        f"{progress}   {tally.answered.total():,} requests answered; copies: {copies.sent:,} sent, "
        f"{copies.dropped:,} dropped\nverdict: {reading.decision}"
    )
    table = Table(title="digits: compared with the answers that clients got", caption=caption)
    table.caption_justify = "left"
    table.add_column("who")
    for column in ("pairs", "differ", "95 % interval", "same digit", "ms longer"):
        table.add_column(column, justify="right")
    for name, who in _PAIRS:
        found = {} if reading.report is None else reading.report[name]
        disagreement = found.get("disagreement")
        table.add_row(
            who,
            f"{found.get('pairs', 0):,}",
            share(disagreement),
            interval(disagreement, 100),
            share(found.get("top_agreement")),
            longer(found.get("seconds_more")),
        )
    return table


def make_line(tally: Tally, reading: Reading) -> str:
    """The same in one line."""
    copies, report = reading.copies, reading.report
    text = f"{tally.answered.total():,} requests answered, copies: {copies.sent:,} sent, "
    text += f"{copies.dropped:,} dropped"
    if report is None:
        return f"{text}; {reading.decision}"
    who = "; ".join(
        f"{who}: {share(report[name]['disagreement'])} of {report[name]['pairs']:,} differ"
        for name, who in _PAIRS
    )
    return f"{text}; {who}; {reading.decision}"


def found_lines(reading: Reading) -> list[str]:
    """What was found beside the verdict: agreement, latency, and an example."""
    lines = []
    if reading.report is not None:
        pairs = reading.report["candidate"]
        top, more = pairs["top_agreement"], pairs["seconds_more"]
        lines += [
            f"The same digit in {share(top)} of {pairs['pairs']:,} pairs, interval {interval(top, 100)} %.",
            f"The candidate takes {longer(more)} ms more than the current model for the same request.",
        ]
    if reading.example is not None:
        lines += ["A pair that differs:", *(f"  {line}" for line in _example(reading.example)), ""]
    return lines


def share(found: Mapping[str, float] | None) -> str:
    """The estimate of a share, in percent."""
    return "-" if found is None else f"{found['estimate']:.2%}"


def interval(found: Mapping[str, float | None] | None, scale: float) -> str:
    """Both ends, in units of 1 / ``scale``."""
    if found is None or found["low"] is None or found["high"] is None:
        return "-"
    return f"{found['low'] * scale:.2f} to {found['high'] * scale:.2f}"


def longer(found: Mapping[str, float | None] | None) -> str:
    """A paired difference of latencies, in milliseconds with its interval."""
    if found is None or found["estimate"] is None:
        return "-"
    return f"{found['estimate'] * 1000:+.2f} ({interval(found, 1000)})"


def _example(example: Mapping[str, Any]) -> list[str]:
    places = [
        f"{place['pointer']}: the client got {place['client']}, the candidate says {place['other']}"
        for place in example["differences"]
    ]
    return [f"{example['method']} {example['path']} ({example['request_id']})", *places]
