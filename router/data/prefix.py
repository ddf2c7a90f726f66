"""What stands at a JSON pointer in a document of which only the beginning may be here?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

_SPACE = re.compile(r"[ \t\n\r]*")
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
# What may follow a number or a word; at anything else, or at the cut, it may go on.
_ENDS = frozenset(" \t\n\r,]}")
_decoder = json.JSONDecoder()


def steps_of(pointer: str) -> tuple[str, ...]:
    """The steps of a JSON pointer (RFC 6901).

    >>> steps_of("/user/a~1b")
    ('user', 'a/b')
    """
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def value_at(document: bytes, steps: Sequence[str]) -> object:
    """The value that ``steps`` lead to, or None if it is not there, or not whole in this prefix.

    A whole document takes the quick way; a cut one is walked only as far as the value, never beyond the cut.
    Of a name that stands twice in an object the last one counts, in a cut document the first. Any bytes may
    come: bytes that are not UTF-8 are lone surrogates in the value, so that different ones stay different.
    """
    try:
        value: object = msgspec.json.decode(document)
    except (ValueError, RecursionError):
        return _walk(document.decode("utf-8", "surrogateescape"), steps)
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and _INDEX.fullmatch(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


Members = Mapping[str, "Members"] | None
"""Which members of an object are of interest, and which of theirs; None for all that stands there."""


def members_of(paths: Iterable[Sequence[str]]) -> Members:
    """The members that these paths lead through and to.

    >>> members_of([("user", "age"), ("user", "name"), ("model",), ("model", "kind")])
    {'model': None, 'user': {'age': None, 'name': None}}
    """
    found: dict[str, Any] = {}
    for steps in sorted(map(tuple, paths)):
        if not steps:
            return None
        inner = found
        for step in steps[:-1]:
            inner = inner.setdefault(step, {})
            if inner is None:  # all of it is of interest already
                break
        else:
            inner[steps[-1]] = None
    return found


def members_at(document: bytes, members: Members) -> object:
    """The document with these members alone; None for what is no JSON.

    Of a document that is cut, what stands whole before the cut is there, and all else is missing: as are
    members that are null.
    """
    try:
        return _only(msgspec.json.decode(document), members)
    except (ValueError, RecursionError):
        text = document.decode("utf-8", "surrogateescape")
    if members is None or not text.lstrip(" \t\n\r").startswith("{"):
        return None
    return _before_the_cut(text, members, ())


def _only(value: object, members: Members) -> object:
    if members is None or not isinstance(value, dict):
        return value
    return {name: _only(value[name], inner) for name, inner in members.items() if name in value}


def _before_the_cut(text: str, members: Mapping[str, Members], steps: tuple[str, ...]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, inner in members.items():
        here = (*steps, name)
        value = _walk(text, here) if inner is None else _before_the_cut(text, inner, here)
        if value is not None and value != {}:
            found[name] = value
    return found


def _walk(text: str, steps: Sequence[str]) -> object:
    try:
        at = _skip(text, 0)
        for step in steps:
            found = _enter(text, at, step)
            if found is None:
                return None
            at = found
        value, end = _decoder.raw_decode(text, at)
    except (ValueError, IndexError, RecursionError):
        return None
    ended = isinstance(value, str | list | dict) or (end < len(text) and text[end] in _ENDS)
    return value if ended else None


def _enter(text: str, at: int, step: str) -> int | None:
    """Where the member ``step`` of the object or array that begins at ``at`` begins."""
    opening, index = text[at], 0
    if opening not in "{[":
        return None
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        if opening == "{":
            _after(text, at, '"')
            key, at = _decoder.raw_decode(text, at)
            at = _skip(text, _after(text, _skip(text, at), ":"))
        else:
            key, index = str(index), index + 1
        if key == step:
            return at
        at = _skip(text, _decoder.raw_decode(text, at)[1])
        if text[at] == ",":
            at = _skip(text, at + 1)
    return None


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


def _after(text: str, at: int, character: str) -> int:
    if text[at] != character:
        raise ValueError(f"expected {character!r}")
    return at + 1
