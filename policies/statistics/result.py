"""What does every statistical method return?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

Detail = float | tuple[float, ...] | str


@dataclass(frozen=True, slots=True)
class Estimate:
    """A quantity with its uncertainty, the method that produced it, and what that method assumes.

    ``low`` and ``high`` bound the ``level`` interval and may be ``-inf`` or ``inf`` where the interval is
    unbounded. ``p_value`` and ``e_value`` are ``None`` for methods that have none. ``details`` holds what
    is particular to the method (degrees of freedom, a z score, weights), by its standard name.
    """

    method: str
    estimate: float
    standard_error: float | None = None
    low: float = float("-inf")
    high: float = float("inf")
    level: float = 0.95
    p_value: float | None = None
    e_value: float | None = None
    assumptions: tuple[str, ...] = ()
    details: tuple[tuple[str, Detail], ...] = ()

    def detail(self, name: str) -> Detail:
        """The named detail; an unknown name is refused with the list of those there are."""
        return _detail(self.method, self.details, name)


@dataclass(frozen=True, slots=True)
class Test:
    """The outcome of a test that estimates nothing: a statistic and its p-value or e-value."""

    __test__: ClassVar = False  # to pytest, which takes classes of this name for its own

    method: str
    statistic: float
    p_value: float | None = None
    log_e_value: float | None = None
    assumptions: tuple[str, ...] = ()
    details: tuple[tuple[str, Detail], ...] = ()

    def detail(self, name: str) -> Detail:
        """The named detail; an unknown name is refused with the list of those there are."""
        return _detail(self.method, self.details, name)


@dataclass(frozen=True, slots=True)
class NotEstimable:
    """Why a quantity cannot be had from this evidence; never a p-value of 1 or an interval of width 0."""

    method: str
    reason: str


def _detail(method: str, details: tuple[tuple[str, Detail], ...], name: str) -> Detail:
    for key, value in details:
        if key == name:
            return value
    known = ", ".join(key for key, _ in details) or "none"
    raise KeyError(f"{method} has no detail {name!r}; it has: {known}")
