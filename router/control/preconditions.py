"""Has what an operator is about to change been changed since it was read?

An entity tag is ``"VERSION-DIGEST"``: the version of the state at which the thing was read, and a digest of
the thing. Only the digests are compared, so that a change of something else is in nobody's way; the version
tells what happened in between.
"""

from __future__ import annotations

from hashlib import sha256
from re import fullmatch
from typing import Any

import msgspec

from router.errors import TurnoutError
from router.state import State, flatten

_TAG = r'"(\d{1,15})-([0-9a-f]{16})"'


class PreconditionRequired(TurnoutError):
    """A change without If-Match."""

    status = 428


class PreconditionFailed(TurnoutError):
    """Somebody else was first. ``since`` is the version that the caller knew, None where it named none.

    ``pointers`` are the places of the thing in the configuration, ``current`` its entity tag now.
    """

    status = 412

    def __init__(self, since: int | None, pointers: tuple[str, ...], current: str) -> None:
        self.since = since
        self.pointers = pointers
        self.current = current
        super().__init__(
            "this has changed since it was read, or the entity tag is not its own; read it again"
        )


def entity_tag(state: State, thing: Any) -> str:
    """The tag of a thing in a state."""
    return f'"{state.version}-{_digest(thing)}"'


def check_match(if_match: str | None, state: State, thing: Any, pointers: tuple[str, ...]) -> None:
    """Nothing where If-Match names the thing as it is, or is ``*``; raises otherwise."""
    if not if_match:
        raise PreconditionRequired(
            "a change needs If-Match: the ETag with which the thing was read, or * to change it as it is"
        )
    given = [each.strip() for each in if_match.split(",")]
    if "*" in given:
        return
    tags = [match for each in given if (match := fullmatch(_TAG, each))]
    digest = _digest(thing)
    if any(match[2] == digest for match in tags):
        return
    since = min((int(match[1]) for match in tags), default=None)
    raise PreconditionFailed(since, pointers, entity_tag(state, thing))


def _digest(thing: Any) -> str:
    written = msgspec.json.encode(thing, enc_hook=flatten, order="deterministic")
    return sha256(written).hexdigest()[:16]
