"""Linear Thompson sampling: each request's variant by its probability to be the best for its features.

Agrawal & Goyal (2013), "Thompson sampling for contextual bandits with linear payoffs".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from policies.contextual.policy import ContextualPolicy
from policies.policy import Policy


@dataclass(frozen=True, slots=True)
class LinearThompson(ContextualPolicy):
    """Probabilities that the posteriors of linear models give, computed rather than drawn."""

    kind: ClassVar[str] = "linear-thompson"
    choice: ClassVar[str] = "thompson"


POLICY: type[Policy] = LinearThompson
