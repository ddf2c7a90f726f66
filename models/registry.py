"""Which protocols are there? Those that have a file in ``models/protocols/``."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import models.protocols
from models.protocol import ModelProtocol


@cache
def protocol_names() -> tuple[str, ...]:
    """The known names, in alphabetical order: each file's, with hyphens."""
    return tuple(sorted(module.name.replace("_", "-") for module in iter_modules(models.protocols.__path__)))


def find_protocol(name: str) -> ModelProtocol:
    """The protocol of that name; `ValueError` with the known names where there is none."""
    known = protocol_names()
    if name not in known:
        nearest = get_close_matches(name, known, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"unknown protocol {name!r}; known: {', '.join(known)}{hint}")
    protocol: ModelProtocol = import_module(f"models.protocols.{name.replace('-', '_')}").PROTOCOL
    return protocol
