"""Epsilon-greedy: nearly all traffic for the arm with the best mean, the rest evenly over all.

Sutton & Barto (2018), "Reinforcement Learning", 2.2. Simple to explain, and it pays for exploring for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from policies.bandit.bandit import Bandit
from policies.bandit.parameters import GreedyParameters
from policies.policy import Policy

if TYPE_CHECKING:
    from policies.bandit.beliefs import Beliefs

_ROUNDING: Final = 1e-9


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
        """All to the best mean; arms whose means are equal but for rounding share."""
        means: list[float] = found.mean.tolist()
        least = max(means) - _ROUNDING * max(map(abs, means))
        count = sum(mean >= least for mean in means)
        return [float(mean >= least) / count for mean in means]


POLICY: type[Policy] = EpsilonGreedy
