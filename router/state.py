"""What do the planes share: the configuration, and the epoch that each experiment is in?

The state is one document with a version. The control plane commits it to Redis by compare-and-set; every
worker reads it, keeps it on disk, and builds its snapshot from it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from policies.plan import Plan
from router.settings import Duration, Settings, Size


class Epoch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A span of constant allocation: weights by variant, under one salt, since ``started`` (unix seconds).

    ``copies``, ``draw`` and ``rule`` are as in `policies.plan.Plan`.
    """

    number: int
    started: float
    salt: str
    weights: dict[str, float]
    why: str
    copies: dict[str, str] = {}
    draw: Literal["unit", "request"] = "unit"
    rule: dict[str, Any] | None = None

    @property
    def plan(self) -> Plan:
        """What requests are assigned by."""
        return Plan(self.salt, self.weights, self.copies, self.draw, self.rule)


class Progress(Struct, frozen=True, kw_only=True):
    """What an experiment's policy said at its last plan, ``at`` unix seconds: its own notes, and why."""

    at: float
    why: str = ""
    notes: dict[str, Any] = {}
    findings: dict[str, Any] = {}


class Ending(Struct, frozen=True, kw_only=True):
    """How an operator ended an experiment, ``at`` unix seconds: with a winner, and perhaps put away since."""

    at: float
    winner: str | None = None
    archived: bool = False


class State(Struct, frozen=True, kw_only=True):
    """Everything a worker needs to route, and what an operator decided beside the settings.

    Versions count up from 1. ``files`` has the digests of the configuration files that were applied, by base
    name, so that one which has not changed since is not applied over an operator's edits at the next start.
    ``asleep`` names the running experiments that their schedule keeps from assigning now.
    """

    version: int
    settings: Settings
    epochs: dict[str, Epoch]
    key: bytes
    endings: dict[str, Ending] = {}
    files: dict[str, str] = {}
    progress: dict[str, Progress] = {}
    asleep: tuple[str, ...] = ()

    def assigns(self, name: str) -> bool:
        """Whether an experiment assigns: it runs, has an epoch, and its schedule lets it."""
        experiment = self.settings.experiments.get(name)
        running = experiment is not None and experiment.running
        return running and name in self.epochs and name not in self.asleep


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
