"""What does a compiled condition look like inside?

The library gives its checked syntax tree as a protobuf message (``cel.expr.CheckedExpr``). The few fields
that are needed to see what a condition reads are read from the wire format here, so that no protobuf runtime
is needed for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["constant", "text", "name", "field", "call", "other"]

# cel.expr.Expr's numbers: id, and one of the kinds.
_ID, _CONSTANT, _NAME, _FIELD, _CALL, _LIST, _STRUCT, _FOLD = range(2, 10)
_TEXT = 6  # a constant's, where it is text


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a condition: ``text`` is a variable's, field's or function's name, or a constant's text.

    ``at`` is where it stands, in characters from the beginning.
    """

    kind: Kind
    text: str
    at: int
    operands: tuple[Node, ...] = ()


def tree_of(serialized: bytes) -> Node:
    """The tree of a serialized checked expression; `ValueError` for bytes that are none."""
    checked = _message(serialized, 2)  # within google.protobuf.Any
    places = {}
    for entry in _all(_message(checked, 5), 4):
        fields = dict(_fields(entry))
        places[_number(fields.get(1, 0))] = _number(fields.get(2, 0))
    return _node(_message(checked, 4), places)


def _node(expression: bytes, places: dict[int, int]) -> Node:
    fields = dict(_fields(expression))
    number = _number(fields.pop(_ID, 0))
    at = places.get(number, 0)
    if not fields:
        raise ValueError("an expression of no kind")
    kind, content = next(iter(fields.items()))
    assert isinstance(content, bytes)
    if kind == _CONSTANT:
        parts = dict(_fields(content))
        return Node("text", _text(parts[_TEXT]), at) if _TEXT in parts else Node("constant", "", at)
    if kind == _NAME:
        return Node("name", _text(_message(content, 1)), at)
    if kind == _FIELD:
        return Node("field", _text(_message(content, 2)), at, (_node(_message(content, 1), places),))
    if kind == _CALL:
        operands = (*_all(content, 1), *_all(content, 3))
        return Node("call", _text(_message(content, 2)), at, tuple(_node(each, places) for each in operands))
    if kind == _LIST:
        operands = _all(content, 1)
    elif kind == _STRUCT:
        entries = _all(content, 2)
        operands = tuple(part for entry in entries for number in (3, 4) for part in _all(entry, number))
    else:
        operands = tuple(part for number in (2, 4, 5, 6, 7) for part in _all(content, number))
    return Node("other", "", at, tuple(_node(each, places) for each in operands))


def _all(message: bytes, number: int) -> tuple[bytes, ...]:
    return tuple(value for found, value in _fields(message) if found == number and isinstance(value, bytes))


def _message(message: bytes, number: int) -> bytes:
    found = _all(message, number)
    return found[-1] if found else b""


def _text(value: int | bytes) -> str:
    return bytes(value).decode() if isinstance(value, bytes) else ""


def _number(value: int | bytes) -> int:
    return value if isinstance(value, int) else 0


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: their numbers, and numbers or bytes."""
    at = 0
    try:
        while at < len(message):
            tag, at = _varint(message, at)
            wire = tag & 7
            if wire == 0:
                value, at = _varint(message, at)
                yield tag >> 3, value
                continue
            if wire == 2:
                length, at = _varint(message, at)
            elif wire in (1, 5):
                length = 8 if wire == 1 else 4
            else:
                raise ValueError(f"wire type {wire}")
            yield tag >> 3, message[at : at + length]
            at += length
    except IndexError:
        raise ValueError("a message that is cut off") from None


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
