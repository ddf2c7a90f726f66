"""LinUCB: each request to the variant whose reward may be the largest for its features.

Li, Chu, Langford & Schapire (2010), "A contextual-bandit approach to personalized news article
recommendation": the disjoint model. A floor is mixed in, because what is never tried cannot be evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from policies.contextual.policy import ContextualPolicy
from policies.policy import Policy


@dataclass(frozen=True, slots=True)
class LinUCB(ContextualPolicy):
    """The largest upper confidence bound of linear models, but for the floor."""

    kind: ClassVar[str] = "linucb"
    choice: ClassVar[str] = "ucb"


POLICY: type[Policy] = LinUCB
