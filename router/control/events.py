"""How is an event written to the log: one line, its name first, then what it is about?"""

from __future__ import annotations

import logging
from re import fullmatch

import msgspec


def event(log: logging.Logger, name: str, level: int = logging.INFO, **about: object) -> None:
    """Log ``name key=value ...``; a value with anything but plain characters stands as a JSON string."""
    text = " ".join([name, *(f"{key}={_written(value)}" for key, value in about.items())])
    log.log(level, "%s", text, extra={"event": name, "about": about})


def _written(value: object) -> str:
    text = str(value)
    return text if fullmatch(r"[A-Za-z0-9_./:@+-]+", text) else msgspec.json.encode(text).decode()
