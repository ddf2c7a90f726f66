"""How does the supervisor speak to the operator: in sentences, or in JSON events like the other processes?"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass

from router.logs import JsonLines, LogFormat


@dataclass(frozen=True, slots=True)
class Voice:
    """Writes one line to stderr at a time."""

    form: LogFormat = "text"

    def say(self, event: str, text: str, level: int = logging.INFO, /, **about: object) -> None:
        """Say what happened: ``text`` to a reader, and to a program also the event and what it is about."""
        line = text if self.form == "text" else _as_json(event, text, level, about)
        print(line, file=sys.stderr, flush=True)


def _as_json(event: str, text: str, level: int, about: dict[str, object]) -> str:
    record = logging.LogRecord("turnout.supervisor", level, __file__, 0, "%s", (text,), None)
    record.event, record.about = event, about
    return JsonLines().format(record)
