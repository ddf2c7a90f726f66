"""How does a difference between two configurations read: what is added, changed, removed?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import UNSET

from router.cli.answers import Change

Sign = Literal["+", "~", "-"]
Weights = Mapping[str, Mapping[str, float]]

_LONGEST = 100
_KINDS = {"experiments": "experiment", "backends": "backend", "endings": "ending of", "limits": "limit"}


@dataclass(frozen=True, slots=True)
class Line:
    """``+`` for what is added, ``~`` for what is changed, ``-`` for what is removed."""

    sign: Sign
    text: str


def change_lines(difference: Sequence[Change], after: Weights | None = None) -> list[Line]:
    """Lines for a reader; with the weights of experiments ``after`` the change, also the shares."""
    steps = [(change, steps_of(change.pointer)) for change in difference]
    weighed = {path[1] for change, path in steps if _is_weight(path)}
    lines = [
        Line("~", text)
        for name in sorted(weighed)
        for text in _weight_lines(name, difference, (after or {}).get(name))
    ]
    lines += [line for change, path in steps if not _is_weight(path) for line in _lines(change, path)]
    return sorted(lines, key=lambda line: "+~-".index(line.sign))


def steps_of(pointer: str) -> tuple[str, ...]:
    """A JSON pointer's steps.

    >>> steps_of("/backends/a~1b/url")
    ('backends', 'a/b', 'url')
    """
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def when(seconds: float) -> str:
    """A moment, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _is_weight(path: tuple[str, ...]) -> bool:
    return len(path) == 5 and (path[0], path[2], path[4]) == ("experiments", "variants", "weight")


def _weight_lines(
    name: str, difference: Sequence[Change], after: Mapping[str, float] | None
) -> Iterator[str]:
    """One line for each variant; the weights before are those after, taken back step by step."""
    changed: dict[str, tuple[float, float]] = {}
    before = dict(after or {})
    for change in difference:
        path = steps_of(change.pointer)
        if path[:3] != ("experiments", name, "variants") or len(path) < 4:
            continue
        if _is_weight(path):
            changed[path[3]] = (change.before, change.after)
            before[path[3]] = change.before
        elif len(path) == 4 and change.before is UNSET:
            before.pop(path[3], None)
        elif len(path) == 4 and change.after is UNSET:
            before[path[3]] = change.before["weight"]
    for variant, (old, new) in changed.items():
        text = f"experiment {name}: weight of {variant} {old:g} -> {new:g}"
        if after is not None:
            shares = old / sum(before.values()), new / sum(after.values())
            text += f" (share {shares[0]:.2%} -> {shares[1]:.2%})"
        yield text


def _lines(change: Change, path: tuple[str, ...]) -> list[Line]:
    """Usually one; a collection that is new or another as a whole is told thing by thing."""
    if path == ("routes",):
        before, after = ({each["path"]: each for each in value or []} for value in _both(change))
    elif path in (("backends",), ("experiments",), ("endings",)):
        before, after = (value or {} for value in _both(change))
    else:
        return [_line(change, path)]
    lines = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name, UNSET), after.get(name, UNSET)
        if UNSET in (old, new):
            lines.append(_line(Change("", old, new), (*path, name)))
        else:
            changed = [field for field in dict.fromkeys([*old, *new]) if old.get(field) != new.get(field)]
            lines += [
                _line(Change("", old.get(field), new.get(field)), (*path, name, field)) for field in changed
            ]
    return lines


def _both(change: Change) -> tuple[Any, Any]:
    before, after = (None if value is UNSET else value for value in (change.before, change.after))
    return before, after


def _line(change: Change, path: tuple[str, ...]) -> Line:
    place = _place(path)
    if change.before is UNSET:
        return Line("+", f"{place}: {_told(path, change.after)}")
    if change.after is UNSET:
        return Line("-", place)
    return Line("~", f"{place}: {_short(change.before)} -> {_short(change.after)}")


def _place(path: tuple[str, ...]) -> str:
    """Where, in words.

    >>> _place(("experiments", "ranker", "variants", "b"))
    'experiment ranker: variants.b'
    """
    if len(path) >= 2 and path[0] == "routes":
        name = (
            path[1] if path[1].startswith("/") else str(int(path[1]) + 1)
        )  # a route has no name but its path
        return f"route {name}" + (f": {'.'.join(path[2:])}" if path[2:] else "")
    if len(path) >= 2 and path[0] in _KINDS:
        rest = f": {'.'.join(path[2:])}" if path[2:] else ""
        return f"{_KINDS[path[0]]} {path[1]}{rest}"
    return ".".join(path) or "configuration"


def _told(path: tuple[str, ...], value: Any) -> str:
    """A new thing, as short as it can be told."""
    if len(path) == 2 and path[0] == "experiments" and isinstance(value, dict):
        variants = value.get("variants", {})
        total = sum(arm["weight"] for arm in variants.values()) or 1
        arms = [f"{name} {arm['weight']:g} ({arm['weight'] / total:.2%})" for name, arm in variants.items()]
        return ", ".join(arms) + ("" if value.get("running", True) else ", not running")
    if len(path) == 2 and path[0] == "routes" and isinstance(value, dict):
        return _route(value)
    if len(path) == 2 and path[0] == "backends" and isinstance(value, dict):
        return _short(value.get("url"))
    return _short(value)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(_without_nulls(value), ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _route(route: Mapping[str, Any]) -> str:
    split = f", experiment {route['experiment']}" if route.get("experiment") else ""
    return f"to {route.get('backend')}{split}"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
