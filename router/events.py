"""How does a process write to the log what happened, by a name that programs go by?"""

from __future__ import annotations

import logging
from re import fullmatch

import msgspec


def event(log: logging.Logger, name: str, level: int = logging.INFO, /, **about: object) -> None:
    """Log ``name key=value ...``; a value with anything but plain characters stands as a JSON string."""
    text = " ".join([name, *(f"{key}={_written(value)}" for key, value in about.items())])
    say(log, name, text, level, **about)


def say(
    log: logging.Logger,
    name: str,
    text: str,
    level: int = logging.INFO,
    error: BaseException | None = None,
    /,
    **about: object,
) -> None:
    """Log a sentence, and the trace of an ``error``; to a program also the event and what it is about."""
    log.log(level, "%s", text, exc_info=error, extra={"event": name, "about": about})


def _written(value: object) -> str:
    text = str(value)
    return text if fullmatch(r"[A-Za-z0-9_./:@+-]+", text) else msgspec.json.encode(text).decode()
