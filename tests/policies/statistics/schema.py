"""Does a document have the shape that a JSON Schema describes, in the keywords the report's schema uses?

A keyword this does not know is an error, never passed over: nothing counts as valid by not being looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ANNOTATIONS = {"description", "title", "$schema", "$defs"}
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,),
    "number": (int, float), "null": (type(None),),
}  # fmt: skip


def errors(value: Any, schema: dict, root: dict, at: str = "$") -> Iterator[str]:
    """Every place where the value is not as the schema says."""
    for keyword, wanted in schema.items():
        if keyword not in ANNOTATIONS:
            yield from CHECKS[keyword](value, wanted, root, at, schema)


def _is(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _type(value: Any, wanted: Any, root: dict, at: str, schema: dict) -> Iterator[str]:
    names = wanted if isinstance(wanted, list) else [wanted]
    if not any(_is(value, name) for name in names):
        yield f"{at}: {value!r} is not {' or '.join(names)}"


def _properties(value: Any, wanted: Any, root: dict, at: str, schema: dict) -> Iterator[str]:
    for name, each in wanted.items():
        if isinstance(value, dict) and name in value:
            yield from errors(value[name], each, root, f"{at}.{name}")


def _required(value: Any, wanted: Any, root: dict, at: str, schema: dict) -> Iterator[str]:
    yield from (f"{at}: lacks {name}" for name in wanted if isinstance(value, dict) and name not in value)


def _additional(value: Any, wanted: Any, root: dict, at: str, schema: dict) -> Iterator[str]:
    assert wanted is False
    extra = set(value) - set(schema["properties"]) if isinstance(value, dict) else set()
    yield from (f"{at}: has {name}, which the schema does not know" for name in sorted(extra))


def _items(value: Any, wanted: Any, root: dict, at: str, schema: dict) -> Iterator[str]:
    for i, each in enumerate(value if isinstance(value, list) else []):
        yield from errors(each, wanted, root, f"{at}[{i}]")


def _any_of(value: Any, wanted: Any, root: dict, at: str, schema: dict) -> Iterator[str]:
    if all(any(True for _ in errors(value, each, root, at)) for each in wanted):
        yield f"{at}: fits none of the alternatives"


def _ref(value: Any, wanted: Any, root: dict, at: str, schema: dict) -> Iterator[str]:
    yield from errors(value, root["$defs"][wanted.removeprefix("#/$defs/")], root, at)


def _bound(low: bool) -> Any:
    def check(value: Any, wanted: Any, root: dict, at: str, schema: dict) -> Iterator[str]:
        if isinstance(value, (int, float)) and (value < wanted if low else value > wanted):
            yield f"{at}: {value} is out of range"

    return check


def _length(low: bool) -> Any:
    def check(value: Any, wanted: Any, root: dict, at: str, schema: dict) -> Iterator[str]:
        if isinstance(value, list) and (len(value) < wanted if low else len(value) > wanted):
            yield f"{at}: has {len(value)} items"

    return check


def _enum(value: Any, wanted: Any, root: dict, at: str, schema: dict) -> Iterator[str]:
    if value not in wanted:
        yield f"{at}: {value!r} is not one of {wanted}"


def _const(value: Any, wanted: Any, root: dict, at: str, schema: dict) -> Iterator[str]:
    yield from _enum(value, [wanted], root, at, schema)


CHECKS = {
    "type": _type, "properties": _properties, "required": _required, "additionalProperties": _additional,
    "items": _items, "anyOf": _any_of, "$ref": _ref, "enum": _enum, "const": _const,
    "minimum": _bound(True), "maximum": _bound(False), "minItems": _length(True), "maxItems": _length(False),
}  # fmt: skip
