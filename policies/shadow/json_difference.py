"""Where do two JSON documents differ, apart from what does not matter?"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, count, zip_longest
from math import isclose, isnan
from typing import Any, Final, TypeVar

from policies.shadow.pointers import Paths, written


class Missing:
    """The type of `MISSING`."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
"""What one document has and the other has not."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Numbers are the same when they differ by at most ``absolute``, or ``relative`` times the larger one."""

    relative: float = 0.0
    absolute: float = 0.0

    @property
    def close(self) -> Callable[[float, float], bool]:
        """Whether two floats are within the tolerance."""
        return partial(isclose, rel_tol=self.relative, abs_tol=self.absolute)

    def same(self, left: float, right: float) -> bool:
        """Whether two numbers count as equal; NaN is equal to itself, as its text is."""
        if left == right:
            return True
        try:
            close = isclose(left, right, rel_tol=self.relative, abs_tol=self.absolute)
        except OverflowError:  # an integer that no float holds
            return False
        return close or (isnan(left) and isnan(right))


@dataclass(frozen=True, slots=True)
class Difference:
    """One place, and what stands there in each document (`MISSING`: nothing)."""

    pointer: str
    left: Any
    right: Any


# A path is kept as (the path to the parent, the last token), and written only where there is a difference.
_Path = tuple[Any, str] | None
# What stands in one place in each document, what is ignored there or below, and the path.
_Place = tuple[Any, Any, tuple[Paths, ...], _Path]
_EXACT: Final = Tolerance()
T = TypeVar("T")
Steps = Generator[None, None, T]
"""Work that may be left between any two of its steps, and what it comes to."""
# How many places are looked at in one step.
_STEP: Final = 200
_PLAIN: Final = frozenset((int, float, str))


def differences(
    left: Any, right: Any, ignored: Paths | None = None, tolerance: Tolerance = _EXACT, most: int = 1
) -> list[Difference]:
    """The first ``most`` places where two documents differ; empty when they are the same.

    Objects are compared by member, lists by position; a number is never equal to true or false. Of the
    documents' depth there is no limit. Swapping the documents swaps the sides and finds as many.

    >>> differences({"a": 1, "b": [1, 2.01]}, {"b": [1.0, 2.0]}, tolerance=Tolerance(relative=0.01))
    [Difference(pointer='/a', left=1, right=MISSING)]
    """
    return finished(finding(left, right, ignored, tolerance, most))


def finished(steps: Steps[T]) -> T:
    """What the steps come to, taken without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def finding(
    left: Any, right: Any, ignored: Paths | None, tolerance: Tolerance, most: int
) -> Steps[list[Difference]]:
    """`differences` in steps of some microseconds, between which there may be something else to do."""
    found: list[Difference] = []
    start = () if ignored is None or not (ignored.members or ignored.whole) else (ignored,)
    # What is still to be looked at, level by level, and never longer than the documents are deep.
    stack: list[Iterator[_Place]] = [iter(((left, right, start, None),))]
    for looked_at in count(1):
        if looked_at % _STEP == 0:
            yield
        place = _next(stack)
        if place is None:
            break
        one, other, rules, path = place
        if rules and any(rule.whole for rule in rules):
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            stack.append(_members(one, other, rules, path))
        elif isinstance(one, list) and isinstance(other, list):
            # Vectors of scores or tokens are long, and a tenth of the time this way.
            if rules or not _same_values(one, other, tolerance):
                stack.append(_items(one, other, rules, path))
        elif not _same(one, other, tolerance):
            found.append(Difference(_written(path), one, other))
            if len(found) >= most:
                break
    return found


def _next(stack: list[Iterator[_Place]]) -> _Place | None:
    while stack:
        place = next(stack[-1], None)
        if place is not None:
            return place
        stack.pop()
    return None


def _members(
    one: dict[str, Any], other: dict[str, Any], rules: tuple[Paths, ...], path: _Path
) -> Iterator[_Place]:
    for name in chain(one, (name for name in other if name not in one)):
        inner = tuple(each for rule in rules for each in rule.below(name)) if rules else ()
        yield one.get(name, MISSING), other.get(name, MISSING), inner, (path, name)


def _items(one: list[Any], other: list[Any], rules: tuple[Paths, ...], path: _Path) -> Iterator[_Place]:
    for index, (first, second) in enumerate(zip_longest(one, other, fillvalue=MISSING)):
        token = str(index)
        inner = tuple(each for rule in rules for each in rule.below(token)) if rules else ()
        yield first, second, inner, (path, token)


def _same_values(one: list[Any], other: list[Any], tolerance: Tolerance) -> bool:
    """Whether both are lists of numbers and texts that count as equal; False says nothing."""
    if len(one) != len(other):
        return False
    types = {*map(type, one), *map(type, other)}
    # True equals 1 in Python and nowhere else, and what is nested may hold it.
    if not types <= _PLAIN:
        return False
    return one == other or (types == {float} and all(map(tolerance.close, one, other)))


def _same(one: Any, other: Any, tolerance: Tolerance) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        if isinstance(one, bool) or isinstance(other, bool):
            return one is other
        return tolerance.same(one, other)
    return type(one) is type(other) and bool(one == other)


def _written(path: _Path) -> str:
    steps: list[str] = []
    while path is not None:
        path, token = path
        steps.append(token)
    return written(reversed(steps))
