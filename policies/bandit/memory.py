"""What does a bandit remember from one plan to the next?

Everything else it computes anew from the evidence. Stdlib only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum
from typing import Any


@dataclass(frozen=True, slots=True)
class Memory:
    """``began`` and ``moved`` (unix seconds): the start, and the last change of weights. ``weights`` are
    those in force, ``out`` the arms taken out with the reasons, ``winner`` the arm found to be the best.
    """

    began: float
    moved: float
    weights: Mapping[str, float]
    out: Mapping[str, str] = field(default_factory=dict)
    winner: str | None = None

    @staticmethod
    def read(progress: Mapping[str, Any], weights: Mapping[str, float], now: float) -> Memory:
        """From a plan's progress; where that is empty, a start with these ``weights``."""
        began = float(progress.get("began", now))
        return Memory(
            began=began,
            moved=float(progress.get("moved", began)),
            weights=dict(progress.get("weights", weights)),
            out=dict(progress.get("out", {})),
            winner=progress.get("winner"),
        )

    def progress(self) -> dict[str, Any]:
        """What `read` takes, in JSON's types."""
        return {
            "began": self.began,
            "moved": self.moved,
            "weights": dict(self.weights),
            "out": dict(self.out),
            "winner": self.winner,
        }


def shares(weights: Mapping[str, float]) -> dict[str, float]:
    """The same weights as shares of the traffic.

    >>> shares({"a": 3.0, "b": 1.0})
    {'a': 0.75, 'b': 0.25}
    """
    total = fsum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def moved_share(old: Mapping[str, float], new: Mapping[str, float]) -> float:
    """The share of the traffic that another arm gets: total variation, 0 to 1.

    >>> moved_share({"a": 1.0, "b": 1.0}, {"a": 3.0, "b": 1.0})
    0.25
    """
    before, after = shares(old), shares(new)
    return 0.5 * fsum(abs(after.get(name, 0.0) - before.get(name, 0.0)) for name in {*before, *after})
