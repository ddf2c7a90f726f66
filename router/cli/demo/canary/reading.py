"""What is there to be known of the two rollouts?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from router.cli.demo.configuration import CHALLENGER
from router.cli.demo.counting import Counts
from router.cli.demo.planning import PlanMade, PolicyNow, Seen

Act = Literal["failing", "fixed"]


@dataclass(frozen=True, slots=True)
class Reading(Counts):
    """How it stands: which candidate it is, its policy, and, at the end, all plans."""

    act: Act = "failing"
    policy: PolicyNow = field(default_factory=PolicyNow)
    plans: tuple[PlanMade, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollout:
    """One candidate's way: seconds from its first request's weight to its last weight, which is 0 or 100.

    ``weights`` are those that it had, in percent; ``seen`` is what the last plan knew of the candidate, and
    ``why`` its reason.
    """

    seconds: float
    weights: tuple[float, ...]
    seen: Seen
    why: str

    @property
    def rolled_back(self) -> bool:
        """Whether it lost all of its traffic."""
        return self.weights[-1] == 0.0


def rollouts(plans: Sequence[PlanMade]) -> tuple[Rollout, ...]:
    """The ways that the plans tell of, one after the other; the last one may not have ended."""
    found: list[Rollout] = []
    way: list[PlanMade] = []
    for plan in plans:
        way.append(plan)
        if plan.weights[CHALLENGER] in (0.0, 100.0):
            found.append(_rollout(way))
            way = []
    return tuple([*found, _rollout(way)] if way else found)


def _rollout(way: Sequence[PlanMade]) -> Rollout:
    last = way[-1]
    return Rollout(
        seconds=last.at - way[0].at,
        weights=tuple(plan.weights[CHALLENGER] for plan in way),
        seen=last.seen.get(CHALLENGER, Seen()),
        why=last.why,
    )
