"""Epsilon-greedy: nearly all traffic for the arm with the best mean, the rest evenly over all.

Sutton & Barto (2018), "Reinforcement Learning", 2.2. Simple to explain, and it pays for exploring for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from policies.bandit.bandit import Bandit
from policies.bandit.parameters import GreedyParameters
from policies.policy import Policy

if TYPE_CHECKING:
    from policies.bandit.beliefs import Beliefs


@dataclass(frozen=True, slots=True)
class EpsilonGreedy(Bandit):
    """The best posterior mean gets all but ``epsilon``."""

    kind: ClassVar[str] = "epsilon-greedy"
    Parameters: ClassVar[type[GreedyParameters]] = GreedyParameters

    parameters: GreedyParameters

    @property
    def floor(self) -> float:
        """``epsilon``, or the floor where that is larger."""
        return max(self.parameters.epsilon, self.parameters.floor)

    def shares(self, found: Beliefs) -> Sequence[float]:
        """All to the best mean; arms whose means are equal share."""
        best = found.mean == found.mean.max()
        shares: list[float] = (best / best.sum()).tolist()
        return shares


POLICY: type[Policy] = EpsilonGreedy
