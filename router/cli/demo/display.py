"""What does one see while the demo runs? A live table on a terminal, lines of progress elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from router.cli.demo.configuration import CHALLENGER, STRENGTHS
from router.cli.demo.reading import Reading
from router.cli.demo.users import Tally

_LINES = 12
"""How many lines of progress a whole run prints where there is no terminal."""


class Display:
    """Shows one reading after another; a context, since a live table must be left in order."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        self._seconds = seconds
        self._next_line = 0.0
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, elapsed: float, tally: Tally, reading: Reading, last: bool = False) -> None:
        """Show where things stand after ``elapsed`` seconds."""
        if self._live is not None:
            self._live.update(make_table(elapsed, self._seconds, tally, reading), refresh=True)
        elif last or elapsed >= self._next_line:
            self._next_line = elapsed + self._seconds / _LINES
            self._console.print(make_line(elapsed, reading), highlight=False, soft_wrap=True)


def make_table(elapsed: float, seconds: float, tally: Tally, reading: Reading) -> Table:
    """The whole picture: one row per variant, and below it what holds for all."""
    caption = (
        f"{min(elapsed, seconds):.0f} of {seconds:.0f} s   "
        f"{tally.late:,} outcomes came late, {tally.posted_again:,} twice   SRM {reading.sample_ratio}"
    )
    table = Table(title="digits: two models behind one URL", caption=caption, caption_justify="left")
    for column in ("variant", "model"):
        table.add_column(column)
    for column in (
        "users",
        "split",
        "requests",
        "outcomes",
        "accuracy",
        "effect",
        "95 % interval",
        "p-value",
    ):
        table.add_column(column, justify="right")

    for name, strength in STRENGTHS.items():
        table.add_row(
            name,
            strength,
            f"{reading.users(name):,.0f}",
            f"{reading.share(name):.1%}",
            f"{reading.requests(name):,}",
            f"{reading.outcomes(name)[0]:,}",
            _accuracy(reading, name),
            *(_effect(reading) if name == CHALLENGER else ("", "", "")),
        )
    return table


def make_line(elapsed: float, reading: Reading) -> str:
    """The same in one line."""
    variants = [
        f"{name} {reading.share(name):.1%} of users, {reading.requests(name):,} requests, "
        f"accuracy {_accuracy(reading, name)}"
        for name in STRENGTHS
    ]
    difference, interval, p_value = _effect(reading)
    effect = f"effect {difference} {interval}, p {p_value}" if interval else f"effect {difference}"
    return "; ".join(
        [f"{elapsed:5.1f} s  {variants[0]}", *variants[1:], effect, f"SRM {reading.sample_ratio}"]
    )


def _accuracy(reading: Reading, name: str) -> str:
    outcomes, right = reading.outcomes(name)
    return f"{right / outcomes:.4f}" if outcomes else "-"


def _effect(reading: Reading) -> tuple[str, str, str]:
    effect = reading.effect
    if effect is None:
        return "not yet", "", ""
    p_value = "-" if effect.p_value is None else f"{effect.p_value:.2g}"
    return f"{effect.estimate:+.4f}", f"({effect.lower:+.4f}, {effect.upper:+.4f})", p_value
