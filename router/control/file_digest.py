"""Do two configuration files say the same?"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from router.settings import Settings
from router.state import flatten


def digest_of(settings: Settings) -> str:
    """The settings' own digest: comments, order and what is a default anyway do not count.

    So a release with a new setting does not take an unchanged file for a changed one.
    """
    written = msgspec.json.encode(_given(settings), enc_hook=flatten, order="deterministic")
    return sha256(written).hexdigest()


def _given(value: Any) -> Any:
    """A value without the fields that have their defaults."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        found = ((each, getattr(value, each.name)) for each in fields)
        return {each.name: _given(inner) for each, inner in found if inner != _default(each)}
    if isinstance(value, dict):
        return {name: _given(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [_given(inner) for inner in value]
    return value


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
