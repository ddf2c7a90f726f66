"""By which method is a rollout judged, from its first plan to its last?

A rollout keeps the method that it began with: its number is in its progress, so that no rollout changes
methods on its way, and a plan that was stored is computed again by the method that made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Method:
    """How the split of bad events decides on harm; all else is the same in every method.

    ``whole_control``: the candidate's events are counted against those of all of the control's traffic, not
    of its slice alone. ``concentration`` is that of the prior on the candidate's share of them. Harm is not
    said before both together have had ``least_requests``.
    """

    number: int
    whole_control: bool
    concentration: float
    least_requests: int


FIRST: Final = Method(1, whole_control=False, concentration=1.0, least_requests=0)
LATEST: Final = Method(2, whole_control=True, concentration=1.0, least_requests=50)
_METHODS: Final = {method.number: method for method in (FIRST, LATEST)}


def find_method(number: int) -> Method:
    """The method of this number; `ValueError` with those there are.

    >>> find_method(1).whole_control
    False
    """
    if number not in _METHODS:
        known = ", ".join(map(str, _METHODS))
        raise ValueError(f"the rollout is judged by method {number}; this version knows: {known}")
    return _METHODS[number]
