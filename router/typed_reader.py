"""How does plain data become typed values, with every mistake named at its own path?

msgspec stops at the first mistake. This reader walks the types itself, structs and dataclasses alike, leaves
out what does not fit, notes why, and goes on; so one run tells all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from router.problems import ABSENT, Path, Problem, unknown
from router.quantities import DURATIONS, SIZES, duration, size
from router.settings import Duration, Size

_EXPECTED = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_QUANTITIES: dict[Any, tuple[Callable[[object], object], str]] = {
    Duration: (duration, DURATIONS),
    timedelta: (lambda value: timedelta(seconds=duration(value)), DURATIONS),
    Size: (size, SIZES),
}


Check = Callable[[object, Mapping[str, Any], Path], Iterable[Problem]]
"""What is wrong with a record that its types cannot say: the record, the data it came from, its path."""


class TypedReader:
    """Reads values of given types, and collects what is wrong in ``problems``."""

    def __init__(self, check: Check | None = None) -> None:
        self.problems: list[Problem] = []
        self._check = check

    def read(self, kind: Any, value: object, path: Path) -> Any:
        """The value as ``kind``, or `ABSENT` with at least one problem more."""
        if kind is Any or kind is object:
            return value
        origin = get_origin(kind)
        if origin in (Union, UnionType):
            return self._union(get_args(kind), value, path)
        if origin is Literal:
            return self._literal(get_args(kind), value, path)
        if origin is tuple:
            return self._list(get_args(kind)[0], value, path)
        if origin in (dict, Mapping):
            return self._mapping(get_args(kind)[1], value, path)
        if kind in _QUANTITIES:
            convert, allowed = _QUANTITIES[kind]
            try:
                return convert(value)
            except (ValueError, OverflowError):
                return self._refuse(path, value, "does not fit", allowed)
        if isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind)):
            return self.record(kind, value, path)
        return self._scalar(kind, value, path)

    def record(self, kind: type, value: object, path: Path, beside: Collection[str] = ()) -> Any:
        """A struct or dataclass from a mapping; names in ``beside`` belong to somebody else."""
        if not isinstance(value, dict):
            return self._refuse(path, value, "does not fit", "a mapping of names to values")
        fields = _fields(kind)
        for name in value:
            if name not in fields and name not in beside:
                known = [*beside, *fields]
                self.problems.append(unknown((*path, name), ABSENT, "name here", known, str(name)))

        hints = _hints(kind)
        complete = True
        given = {}
        for name, (attribute, required) in fields.items():
            if name in value:
                read = self.read(hints[attribute], value[name], (*path, name))
                if read is not ABSENT:
                    given[attribute] = read
                else:
                    complete = complete and not required
            elif required:
                complete = False
                self._refuse((*path, name), ABSENT, "is missing", _expected(hints[attribute]))
        if not complete:
            return ABSENT
        try:
            result = kind(**given)
        except ValueError as error:
            self.problems.append(Problem(path, ABSENT, f"does not fit: {error}", "values that go together"))
            return ABSENT
        if self._check is not None:
            self.problems.extend(self._check(result, value, path))
        return result

    def _union(self, kinds: tuple[Any, ...], value: object, path: Path) -> Any:
        if value is None and NoneType in kinds:
            return None
        some = [kind for kind in kinds if kind is not NoneType]
        many = [kind for kind in some if get_origin(kind) is tuple]
        if many and isinstance(value, list):
            return self.read(many[0], value, path)
        return self.read(next((kind for kind in some if kind not in many), some[0]), value, path)

    def _literal(self, allowed: tuple[Any, ...], value: object, path: Path) -> Any:
        if any(value == each and type(value) is type(each) for each in allowed):
            return value
        self.problems.append(unknown(path, value, "value here", [str(each) for each in allowed]))
        return ABSENT

    def _list(self, kind: Any, value: object, path: Path) -> Any:
        if not isinstance(value, list):
            return self._refuse(path, value, "does not fit", "a list")
        items = [self.read(kind, item, (*path, index)) for index, item in enumerate(value)]
        return tuple(item for item in items if item is not ABSENT)

    def _mapping(self, kind: Any, value: object, path: Path) -> Any:
        if not isinstance(value, dict):
            return self._refuse(path, value, "does not fit", "a mapping of names to values")
        items = {name: self.read(kind, item, (*path, name)) for name, item in value.items()}
        return {name: item for name, item in items.items() if item is not ABSENT}

    def _scalar(self, kind: Any, value: object, path: Path) -> Any:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError:
            allowed = _expected(kind)
            if kind is str and isinstance(value, int | float):
                allowed += ", in quotes where it looks like something else"
            if kind in (int, float) and isinstance(value, str):
                allowed += ", without quotes and with a dot before an exponent"
            return self._refuse(path, value, "does not fit", allowed)

    def _refuse(self, path: Path, value: object, wrong: str, allowed: str) -> Any:
        self.problems.append(Problem(path, value, wrong, allowed))
        return ABSENT


@cache
def _hints(kind: type) -> dict[str, Any]:
    """What type each attribute has; worked out once, because a configuration has thousands of records."""
    return get_type_hints(kind)


@cache
def _fields(kind: Any) -> dict[str, tuple[str, bool]]:
    """The names that can be given, each with its attribute's name, and whether it must be.

    A dataclass' field of a name that Python keeps for itself says what it is called in its metadata.
    """
    if issubclass(kind, msgspec.Struct):
        return {each.encode_name: (each.name, each.required) for each in msgspec.structs.fields(kind)}
    none = dataclasses.MISSING
    return {
        each.metadata.get("name", each.name): (
            each.name,
            each.default is none and each.default_factory is none,
        )
        for each in dataclasses.fields(kind)
        if each.init
    }


def _expected(kind: Any) -> str:
    """What a reader may write where ``kind`` is expected."""
    if kind in _QUANTITIES:
        return _QUANTITIES[kind][1]
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return " or ".join(_expected(each) for each in get_args(kind) if each is not NoneType)
    if origin is Literal:
        return ", ".join(str(each) for each in get_args(kind))
    if origin is tuple:
        return "a list"
    return _EXPECTED.get(kind, "a mapping of names to values")
