"""Which types describe the configuration's own to a schema?

msgspec's schemas know numbers and text, not our durations and sizes. Each type that holds one is described by
one of the same name and fields that holds plain numbers or text instead; every other type by itself.
"""

from __future__ import annotations

from functools import cache, reduce
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Meta

from router.control.difference import plain
from router.quantities import DURATIONS, SIZES
from router.settings import Duration, Size

_QUANTITIES: dict[Any, Any] = {
    Duration: Annotated[float | str, Meta(description=DURATIONS)],
    Size: Annotated[int | str, Meta(description=SIZES)],
}


@cache
def described(kind: Any) -> Any:
    """The type that describes this one."""
    if kind in _QUANTITIES:
        return _QUANTITIES[kind]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind)
    origin, inner = get_origin(kind), get_args(kind)
    others = tuple(each if each is Ellipsis else described(each) for each in inner)
    if origin is Annotated or others == inner:
        return kind
    if origin in (Union, UnionType):
        return reduce(or_, (None if each is NoneType else each for each in others))
    return origin[others]


def _struct(kind: type[msgspec.Struct]) -> Any:
    hints = get_type_hints(kind, include_extras=True)
    if all(described(hint) == hint for hint in hints.values()):
        return kind
    fields: list[Any] = []
    for each in msgspec.structs.fields(kind):
        hint = described(hints[each.name])
        if each.required:
            fields.append((each.name, hint))
        elif each.default_factory is not NODEFAULT:
            fields.append((each.name, hint, msgspec.field(default_factory=each.default_factory)))
        else:
            fields.append((each.name, hint, _default(plain(each.default))))
    config = kind.__struct_config__
    made = msgspec.defstruct(
        kind.__name__, fields, kw_only=True, forbid_unknown_fields=config.forbid_unknown_fields
    )
    made.__doc__ = kind.__doc__
    return made


def _default(value: Any) -> Any:
    """A default that may be shown; of a composite one that there is one."""
    if isinstance(value, dict | list):
        return msgspec.field(default_factory=lambda: value)
    return value
