"""Which decisions does a worker log with the features that they depended on?

Every one while there are few; else every n-th, by a count that knows neither the request nor its answer, so
that the log stays a fair sample at a bounded cost.
"""

from __future__ import annotations

from math import ceil
from typing import Final

from router.store.decisions import LoggedDecision, decision_line

# Lines for each time that the log is taken, a few times a second.
MOST_AT_ONCE: Final = 50


class DecisionLog:
    """One experiment's decisions since they were last taken."""

    __slots__ = ("_every", "_lines", "_seen", "keep")

    def __init__(self, keep: int) -> None:
        """``keep``: how many decisions are of use in all, the newest."""
        self.keep = keep
        self._every = 1
        self._seen = 0
        self._lines: list[LoggedDecision] = []

    def wanted(self) -> bool:
        """Count one decision; whether it is to be logged."""
        self._seen += 1
        return self._seen % self._every == 0

    def add(self, decision: LoggedDecision) -> None:
        """Log one that was wanted."""
        self._lines.append(decision)

    def take(self) -> list[str]:
        """The lines, and a new beginning: as often as the last span's traffic lets."""
        lines, self._lines = self._lines, []
        self._every = max(ceil(self._seen / MOST_AT_ONCE), 1)
        self._seen = 0
        return [decision_line(each) for each in lines]
