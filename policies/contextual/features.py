"""Which numbers does a request's context become?

A vector begins with a constant 1. A number is clipped to its range and scaled to 0..1; a category is one-hot
over the values that are named, and all zeros for another one. What is missing, or is not a number where one
is wanted, is the middle of its range, or all zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

LARGEST: Final = 32
_SOURCES: Final = ("header", "query", "json")


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: where it stands (exactly one of ``header``, ``query`` and ``json``, a JSON pointer into a
    bounded part of the body), and either the range of a number (``low`` and ``high``) or the ``values`` of a
    category.
    """

    name: str
    header: str | None = None
    query: str | None = None
    json: str | None = None
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"feature {self.name!r} names {len(given)} of {', '.join(_SOURCES)}; allowed: one"
            )
        if self.json is not None and not self.json.startswith("/"):
            raise ValueError(
                f"feature {self.name!r}: json {self.json!r} is no JSON pointer, such as /user/age"
            )
        ranged = self.low is not None and self.high is not None
        if ranged == bool(self.values) or (self.low is None) != (self.high is None):
            raise ValueError(f"feature {self.name!r} needs either low and high or values, and not both")
        if self.low is not None and self.high is not None and not 0.0 < self.high - self.low < inf:
            raise ValueError(f"feature {self.name!r}: low {self.low:g} is not below high {self.high:g}")
        if len(set(self.values)) != len(self.values):
            raise ValueError(f"feature {self.name!r}: a value is there twice")

    @property
    def width(self) -> int:
        """How many numbers it becomes."""
        return len(self.values) or 1


class Encoder:
    """Makes the vector of a request from the raw values of its features."""

    __slots__ = ("_steps", "dimension")

    def __init__(self, features: Sequence[Feature]) -> None:
        """Raises `ValueError` for a name that is there twice, or more than `LARGEST` numbers."""
        names = [feature.name for feature in features]
        if len(set(names)) != len(names):
            raise ValueError(f"a feature is there twice: {', '.join(sorted(names))}")
        self.dimension = 1 + sum(feature.width for feature in features)
        if self.dimension > LARGEST:
            raise ValueError(f"the features become {self.dimension} numbers; allowed: at most {LARGEST}")
        self._steps = tuple(
            (feature.low, 1.0 / (feature.high - feature.low), feature.values)
            if feature.low is not None and feature.high is not None
            else (None, 0.0, feature.values)
            for feature in features
        )

    def encode(self, raw: Sequence[object]) -> list[float]:
        """The vector (d,) of raw values, one for each feature: text, a number, or None where it is missing.

        >>> Encoder([Feature("age", header="x-age", low=0, high=100)]).encode(["25"])
        [1.0, 0.25]
        """
        vector = [1.0]
        for value, (low, scale, values) in zip(raw, self._steps, strict=True):
            if low is None:
                text = value if isinstance(value, str) else _text(value)
                vector += [1.0 if text == each else 0.0 for each in values]
            else:
                vector.append(_scaled(value, low, scale))
        return vector


def features_of(rule: Mapping[str, Any]) -> tuple[Feature, ...]:
    """The features that a plan's rule names."""
    return tuple(_feature(dict(each)) for each in rule["features"])


def _feature(data: dict[str, Any]) -> Feature:
    return Feature(**{**data, "values": tuple(data.get("values", ()))})


def _scaled(value: object, low: float, scale: float) -> float:
    if not isinstance(value, str | int | float):
        return 0.5
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return 0.5
    if number != number:
        return 0.5
    return min(max((number - low) * scale, 0.0), 1.0)


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
