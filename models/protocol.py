"""What must be known of a model backend's protocol to call it and to read what it answers?

A protocol is pure: it builds calls and reads bodies; who sends them, and when, is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Value = float | int | str | bool


class ProtocolError(ValueError):
    """A body that the protocol does not allow; the text says where, what, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request to a model server; ``path`` is absolute, without scheme and host."""

    method: str
    path: str
    body: bytes = b""
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said: one value per row of its first output, and which model it was."""

    model: str
    version: str | None
    values: tuple[Value, ...]


class ModelProtocol(Protocol):
    """A dialect that model servers speak; one file in ``models/protocols/`` holds each, as ``PROTOCOL``."""

    @property
    def name(self) -> str:
        """Its name in configuration and in messages."""
        ...

    def infer(self, model: str, rows: Sequence[Sequence[float]], version: str | None = None) -> Call:
        """The call that asks ``model`` about ``rows`` (n rows of equal length, n at least 1)."""
        ...

    def ready(self, model: str) -> Call:
        """The call that is answered with a 2xx status once ``model`` can serve."""
        ...

    def answer(self, body: bytes) -> Answer:
        """What a successful answer to `infer` says; `ProtocolError` where it is not one."""
        ...

    def failure(self, body: bytes) -> str | None:
        """The server's own words in an error's body, None where it has none in this protocol's form."""
        ...
