"""What has been planned by this process, for its metrics to show?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from policies.plan import Plan
from router.state import Progress


@dataclass(frozen=True, slots=True)
class Said:
    """A policy's last plan, made ``at`` unix seconds; the next one is ``due``."""

    kind: str
    at: float
    due: float
    plan: Plan


class PlanningBook:
    """Whether this process leads; what each policy said last; and counts since the process started.

    By experiment: ``epochs`` counts those that plans opened, ``failures`` plans that could not be made,
    ``rollbacks`` how often a canary's phase became Failed.
    """

    def __init__(self) -> None:
        self.leading = False
        self.said: dict[str, Said] = {}
        self.epochs: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.rollbacks: Counter[str] = Counter()

    def say(self, name: str, said: Said, before: Progress | None) -> bool:
        """A policy planned; whether its phase or step is another one than it was at last."""
        last = self.said.get(name)
        was = last.plan.findings if last is not None else {} if before is None else before.findings
        now = said.plan.findings
        if now.get("phase") == "Failed" != was.get("phase"):
            self.rollbacks[name] += 1
        self.said = {**self.said, name: said}
        return (now.get("phase"), now.get("step")) != (was.get("phase"), was.get("step"))

    def opened(self, name: str) -> None:
        """A plan opened an epoch."""
        self.epochs[name] += 1

    def failed(self, name: str) -> None:
        """A plan could not be made; of the planner itself where ``name`` is empty."""
        self.failures[name] += 1

    def keep(self, names: Collection[str]) -> None:
        """Experiments that are planned for; what others said is forgotten.

        Their counts are known from 0 on: a counter that begins at 1 has no increase.
        """
        for name in names:
            self.epochs.setdefault(name, 0)
            self.failures.setdefault(name, 0)
        if self.said.keys() - set(names):
            self.said = {name: said for name, said in self.said.items() if name in names}
