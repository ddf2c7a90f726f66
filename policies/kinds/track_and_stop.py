"""Track-and-stop: the shares that tell the arms apart soonest, until the best is known.

Garivier & Kaufmann (2016), "Optimal best arm identification with fixed confidence".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from policies.bandit.bandit import StoppingBandit
from policies.policy import Policy

if TYPE_CHECKING:
    from policies.bandit.beliefs import Beliefs


@dataclass(frozen=True, slots=True)
class TrackAndStop(StoppingBandit):
    """Finds the best arm: by the optimal proportions of what the arms are believed to be."""

    kind: ClassVar[str] = "track-and-stop"

    def shares(self, found: Beliefs) -> Sequence[float]:
        """The optimal proportions at the posterior means; even ones for arms that are tied."""
        from policies.bandit.proportions import tracking_shares

        means = found.mean if found.family == "bernoulli" else found.mean / found.common_deviation
        return tracking_shares(means.tolist(), found.family)


POLICY: type[Policy] = TrackAndStop
