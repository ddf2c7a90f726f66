"""Thompson sampling: each arm gets the traffic that it is probable to be the best by.

Thompson (1933). The probabilities are computed, not drawn, and published as weights: every few minutes that
costs no more regret than a draw for each request, and the probability of each assignment is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from policies.bandit.bandit import Bandit
from policies.bandit.parameters import BanditParameters
from policies.policy import Policy

if TYPE_CHECKING:
    from policies.bandit.beliefs import Beliefs


@dataclass(frozen=True, slots=True)
class Thompson(Bandit):
    """The least regret: weights are the probabilities to be the best."""

    kind: ClassVar[str] = "thompson"
    Parameters: ClassVar[type[BanditParameters]] = BanditParameters

    def shares(self, found: Beliefs) -> Sequence[float]:
        """P(best)."""
        shares: list[float] = found.chances.best.tolist()
        return shares


POLICY: type[Policy] = Thompson
