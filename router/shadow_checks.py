"""Which shadows have the right types and still cannot be used?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf, isfinite
from re import fullmatch
from typing import Any

from router.problems import ABSENT, Path, Problem, unknown
from router.settings import Comparison, Duration, Settings, Shadow, Size

_POINTER = r"(/([^~/]|~0|~1)*)+"
_LARGEST_MULTIPLE = 100


def check(settings: Settings, raw: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the shadows, and with the routes that name them; ``raw`` is the document."""
    backends, shadows = (tuple(map(str, _mapping(raw, name))) for name in ("backends", "shadows"))
    for name, shadow in settings.shadows.items():
        here: Path = ("shadows", name)
        if not fullmatch(r"[A-Za-z0-9_-]{1,32}", name):
            yield Problem(here, ABSENT, "is no usable name", "1 to 32 of A-Za-z0-9_-")
        if shadow.backend not in backends:
            yield unknown((*here, "backend"), shadow.backend, "backend", backends)
        yield from _shadow(shadow, here)
        yield from _comparison(shadow.compare, (*here, "compare"))
    routes = raw.get("routes")
    for index, route in enumerate(routes if isinstance(routes, list) else ()):
        names = route.get("shadows") if isinstance(route, dict) else None
        if isinstance(names, list):
            yield from _route(settings, names, route.get("repeatable") is True, shadows, index)


def _shadow(shadow: Shadow, path: Path) -> Iterator[Problem]:
    yield from _shares(shadow, path, "share", "noise")
    if shadow.max_in_flight < 1:
        yield Problem((*path, "max_in_flight"), shadow.max_in_flight, "is too small", "1 or more")
    elif shadow.noise > 0 and shadow.max_in_flight == 1:
        wrong = "leaves no room for the current model's second answer beside the copy"
        yield Problem((*path, "max_in_flight"), shadow.max_in_flight, wrong, "2 or more with noise")
    if not 1 <= shadow.multiply <= _LARGEST_MULTIPLE:
        allowed = f"a whole number from 1 to {_LARGEST_MULTIPLE}"
        yield Problem((*path, "multiply"), shadow.multiply, "is out of range", allowed)
    if shadow.rate is not None and not 0 < shadow.rate < inf:
        yield Problem((*path, "rate"), shadow.rate, "is no rate", "copies a second, more than 0, or null")
    yield from _above_zero(shadow, path)


def _shares(value: Shadow | Comparison, path: Path, *fields: str) -> Iterator[Problem]:
    for field in fields:
        share = getattr(value, field)
        if not 0 <= share <= 1:
            yield Problem((*path, field), share, "is no share", "a number from 0 to 1")


def _comparison(compare: Comparison, path: Path) -> Iterator[Problem]:
    yield from _shares(compare, path, "share")
    for field in ("relative", "absolute"):
        tolerance = getattr(compare, field)
        if not (tolerance >= 0 and isfinite(tolerance)):
            yield Problem((*path, field), tolerance, "is no tolerance", "a finite number, 0 or more")
    for field in ("margin", "alpha"):
        level = getattr(compare, field)
        if not 0 < level < 1:
            yield Problem((*path, field), level, "is out of range", "a number between 0 and 1, not either")
    for field in ("ignore", "redact"):
        for index, pointer in enumerate(getattr(compare, field)):
            yield from _pointer(pointer, (*path, field, index))
    for field in ("top", "ranking"):
        pointer = getattr(compare, field)
        if pointer is not None:
            yield from _pointer(pointer, (*path, field))
    yield from _above_zero(compare, path)


def _pointer(pointer: str, path: Path) -> Iterator[Problem]:
    if not fullmatch(_POINTER, pointer):
        allowed = "a JSON pointer (RFC 6901) that starts with '/', in which * stands for every member"
        yield Problem(path, pointer, "is no JSON pointer", allowed)


def _route(
    settings: Settings, names: Sequence[object], repeatable: bool, known: Sequence[str], index: int
) -> Iterator[Problem]:
    for place, name in enumerate(names):
        here: Path = ("routes", index, "shadows", place)
        if not isinstance(name, str):
            continue  # which has been said
        if name not in known:
            yield unknown(here, name, "shadow", known)
        elif name in names[:place]:
            yield Problem(here, name, "is there twice", "each shadow once")
        shadow = settings.shadows.get(name)
        if shadow is None or repeatable:
            continue
        if shadow.side_effects != "allowed":
            wrong = "copies requests of a route that is not marked as repeatable"
            allowed = f"repeatable: true for this route, or side_effects: allowed in shadows.{name}"
            yield Problem(here, name, wrong, allowed)
        elif shadow.noise > 0:
            wrong = "would send requests that are not repeatable to the current model a second time"
            yield Problem(
                here, name, wrong, f"repeatable: true for this route, or noise: 0 in shadows.{name}"
            )


def _above_zero(record: Any, path: Path) -> Iterator[Problem]:
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, Duration | Size) and not value > 0:
            yield Problem((*path, name), value, "is not above 0", "more than 0")


def _mapping(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = raw.get(name)
    return inner if isinstance(inner, Mapping) else {}
