"""How does a process of the service write its log: as text for readers, or as JSON for collectors?"""

from __future__ import annotations

import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Literal

import msgspec

LogFormat = Literal["text", "json"]

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"

log = logging.getLogger("turnout")


class JsonLines(logging.Formatter):
    """One object a line, with the same keys first: time, level, logger, event and message.

    ``time`` is RFC 3339 in UTC. ``event`` names what happened, null where nobody gave it a name, as libraries
    do not; ``message`` says it in words. What an event is about stands beside these, and so does the
    ``exception``, if there is one.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": getattr(record, "event", None),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        about: dict[str, Any] = getattr(record, "about", {})
        line |= {name: value for name, value in about.items() if name not in line}
        return msgspec.json.encode(line, enc_hook=str).decode()


def configure(form: LogFormat) -> None:
    """Write this process' log to stderr, everything from INFO on: also warnings, and what ends a thread."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(_TEXT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _log_the_end
    threading.excepthook = _log_a_threads_end


def _log_the_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.critical(
        "the process ends: %r", error, exc_info=(kind, error, trace), extra={"event": "process_ends"}
    )


def _log_a_threads_end(ended: threading.ExceptHookArgs) -> None:
    name = "a thread" if ended.thread is None else f"thread {ended.thread.name}"
    error = ended.exc_value
    log.error("%s ended: %r", name, error, exc_info=error, extra={"event": "thread_ended"})
