"""What does one see while a demo runs? A live table on a terminal, lines of progress elsewhere."""

from __future__ import annotations

from collections.abc import Hashable
from types import TracebackType
from typing import Generic, Self

from rich.console import Console
from rich.live import Live

from router.cli.demo.scenario import Reading, Scenario
from router.cli.demo.users import Tally

_LINES = 12
"""How many lines of progress a whole run prints where there is no terminal, beside those of headlines."""


class Display(Generic[Reading]):
    """Shows one reading after another; a context, since a live table must be left in order."""

    def __init__(self, console: Console, seconds: float, scenario: Scenario[Reading]) -> None:
        self._console = console
        self._seconds = seconds
        self._scenario = scenario
        self._next_line = 0.0
        self._headline: Hashable = None
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
        scenario = self._scenario
        if self._live is not None:
            progress = f"{min(elapsed, self._seconds):.0f} of {self._seconds:.0f} s"
            self._live.update(scenario.table(progress, tally, reading), refresh=True)
            return
        headline = scenario.headline(reading)
        if last or elapsed >= self._next_line or headline != self._headline:
            self._next_line, self._headline = elapsed + self._seconds / _LINES, headline
            line = f"{elapsed:5.1f} s  {scenario.line(tally, reading)}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
