"""What do the planes share: the configuration, and the epoch that each experiment is in?

The state is one document with a version. The control plane commits it to Redis by compare-and-set; every
worker reads it, keeps it on disk, and builds its snapshot from it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from router.settings import Duration, Settings, Size


class Epoch(Struct, frozen=True, kw_only=True):
    """A span of constant allocation: weights by variant, under one salt, since ``started`` (unix seconds)."""

    number: int
    started: float
    salt: str
    weights: dict[str, float]
    why: str


class Ending(Struct, frozen=True, kw_only=True):
    """How an operator ended an experiment, ``at`` unix seconds: with a winner, and perhaps put away since."""

    at: float
    winner: str | None = None
    archived: bool = False


class State(Struct, frozen=True, kw_only=True):
    """Everything a worker needs to route, and what an operator decided beside the settings.

    Versions count up from 1. ``file`` is the digest of the configuration file that was applied last, so that
    one which has not changed since is not applied over an operator's edits.
    """

    version: int
    settings: Settings
    epochs: dict[str, Epoch]
    key: bytes
    endings: dict[str, Ending] = {}
    file: str | None = None


def revive(kind: type, value: object) -> object:
    """Rebuild the configuration's own number types from plain numbers."""
    if kind is Duration and isinstance(value, int | float):
        return Duration(value)
    if kind is Size and isinstance(value, int):
        return Size(value)
    raise TypeError(f"{value!r} is no {kind.__name__}")


def flatten(value: object) -> Any:
    """Plain numbers for the configuration's own number types."""
    if isinstance(value, Duration):
        return float(value)
    if isinstance(value, Size):
        return int(value)
    raise TypeError(f"{type(value).__name__} cannot be written")


_decoder = msgspec.json.Decoder(State, dec_hook=revive)
_encoder = msgspec.json.Encoder(enc_hook=flatten)


def encode_state(state: State) -> bytes:
    """The document as JSON."""
    return _encoder.encode(state)


def decode_state(document: bytes) -> State:
    """The document from JSON; `msgspec.ValidationError` where it is not one."""
    return _decoder.decode(document)
