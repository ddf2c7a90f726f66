"""What is there to be known of the bandit?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum
from typing import Any

from router.cli.demo.counting import Counts
from router.cli.demo.planning import PlanMade, PolicyNow


@dataclass(frozen=True, slots=True)
class Reading(Counts):
    """How it stands: what was counted, the policy, and, at the end, all plans."""

    policy: PolicyNow = field(default_factory=PolicyNow)
    plans: tuple[PlanMade, ...] = ()

    def of_arm(self, what: str, variant: str) -> Any:
        """One of the policy's findings about an arm; None before there is one."""
        return self.policy.findings.get(what, {}).get(variant)


@dataclass(frozen=True, slots=True)
class Regret:
    """Right answers lost against the arm that looks best, with a standard error; and by an even split."""

    estimate: float
    standard_error: float
    of_even_split: float


def regret(reading: Reading) -> Regret | None:
    """From the policy's findings; None before there are any.

    An even split of as many outcomes loses, by the same means, the average difference to the best for each.
    """
    found: Mapping[str, float] | None = reading.policy.findings.get("regret")
    means: Mapping[str, float] = reading.policy.findings.get("means", {})
    if found is None or not means:
        return None
    best = max(means.values())
    outcomes = sum(reading.outcomes(arm)[0] for arm in means)
    lost = fsum(best - mean for mean in means.values()) / len(means)
    return Regret(found["estimate"], found["standard_error"], outcomes * lost)
