"""Which parts of the control plane's answers does the command line read, and of which types are they?

Names and meanings are those of the admin API's own document. Times are unix seconds, shares go from 0 to 1.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct


class Change(Struct, frozen=True, omit_defaults=True):
    """One place in the configuration, as a JSON pointer; without ``before`` new, without ``after`` gone."""

    pointer: str
    before: Any = UNSET
    after: Any = UNSET


class Move(Struct, frozen=True):
    """The share of an experiment's units that would move, and why."""

    experiment: str
    share: float
    why: str


class Preview(Struct, frozen=True):
    """What a configuration would change, computed from a version."""

    version: int
    changes: bool
    recorded: bool
    difference: tuple[Change, ...]
    moves: tuple[Move, ...]
    warnings: tuple[str, ...]


class Applied(Struct, frozen=True):
    """What a configuration changed."""

    version: int
    changed: bool


class Epoch(Struct, frozen=True):
    """A span of constant allocation."""

    number: int
    started: float
    why: str


class Ending(Struct, frozen=True):
    """How an experiment was ended."""

    at: float
    winner: str | None = None


class Variant(Struct, frozen=True):
    """A variant: its weight as written, its share, and the share in force now."""

    name: str
    backend: str
    weight: float
    share: float
    in_force: float


class Experiment(Struct, frozen=True):
    """An experiment as it stands."""

    name: str
    status: str
    version: int
    variants: tuple[Variant, ...]
    routes: tuple[str, ...]
    epoch: Epoch | None
    ending: Ending | None


class Experiments(Struct, frozen=True):
    """All experiments."""

    experiments: tuple[Experiment, ...]


class Version(Struct, frozen=True):
    """A version in the history, with the experiments of which it opened an epoch."""

    version: int
    at: float
    who: str
    why: str
    difference: tuple[Change, ...]
    opened: tuple[str, ...]


class Versions(Struct, frozen=True):
    """The newest versions first."""

    current: int
    versions: tuple[Version, ...]


class Record(Struct, frozen=True):
    """One version with the whole configuration, as plain data."""

    version: int
    at: float
    who: str
    why: str
    difference: tuple[Change, ...]
    settings: dict[str, Any]


class Difference(Struct, frozen=True):
    """What is different in ``version`` as compared with ``against``."""

    version: int
    against: int
    difference: tuple[Change, ...]


class Worker(Struct, frozen=True):
    """A worker, the version it runs, and how far it is behind."""

    host: str
    pid: int
    started: float
    version: int
    since: float
    behind_versions: int
    behind_seconds: float


class Workers(Struct, frozen=True):
    """All workers, and the version in force."""

    version: int
    workers: tuple[Worker, ...]


class Entry(Struct, frozen=True):
    """One thing done or refused."""

    at: float
    who: str
    role: str
    peer: str
    action: str
    target: str
    status: int
    version: int | None = None
    why: str = ""
    detail: str = ""


class Logged(Struct, frozen=True):
    """An entry under its id."""

    entry: Entry


class Audit(Struct, frozen=True):
    """The newest entries first."""

    entries: tuple[Logged, ...]


class Token(Struct, frozen=True):
    """A token, without its secret."""

    name: str
    role: str
    created: float
    created_by: str


class Tokens(Struct, frozen=True):
    """All tokens."""

    tokens: tuple[Token, ...]


class MadeToken(Struct, frozen=True):
    """A token, shown this once."""

    name: str
    role: str
    token: str


class Snapshot(Struct, frozen=True):
    """The last snapshot on disk, and whether Redis has lost the state."""

    lost: bool
    version: int | None
    experiments: tuple[str, ...]
