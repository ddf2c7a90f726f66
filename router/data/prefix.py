"""What stands at a JSON pointer in a document of which only the beginning may be here?"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

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
