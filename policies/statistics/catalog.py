"""Which statistical methods are there, and which function computes one by name?

A method is one file: every module below this package that defines ``METHODS``, a dictionary from name to
function, is found by its folder. Nothing else has to name it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType, ModuleType

from policies import statistics

Method = Callable[..., object]


def modules() -> Iterator[ModuleType]:
    """Every module of the statistics package, imported, in the order of their names.

    >>> "policies.statistics.kernel" in [module.__name__ for module in modules()]
    True
    """
    for found in pkgutil.walk_packages(statistics.__path__, statistics.__name__ + "."):
        yield importlib.import_module(found.name)


@cache
def methods() -> Mapping[str, Method]:
    """All methods by name, read-only.

    Raises ValueError when two modules give the same name to different functions.

    >>> "welch" in methods()
    True
    """
    found: dict[str, Method] = {}
    for module in modules():
        for name, function in getattr(module, "METHODS", {}).items():
            if found.setdefault(name, function) is not function:
                raise ValueError(f"two methods are called {name!r}; the second is in {module.__name__}")
    return MappingProxyType(dict(sorted(found.items())))


def find(name: str) -> Method:
    """The function that computes the named method.

    Raises KeyError for an unknown name, with the nearest one and the list of those there are.

    >>> find("welch").__name__
    'welch'
    """
    known = methods()
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise KeyError(f"no statistical method {name!r}{hint}; there are: {', '.join(known)}")
