"""What is a bandit to its experiment: when it starts, how often it plans, and what makes one kind another?

Stdlib only: kinds are imported when a configuration is read, by the data plane too. The numbers are in
``learning``, which is imported when there is something to learn from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING, Any, ClassVar

from policies.bandit.memory import Memory
from policies.bandit.parameters import ERRORS, BanditParameters, Guardrail, Stop, StoppingParameters
from policies.metric import MetricSpec
from policies.plan import Plan
from policies.policy import Allocation

if TYPE_CHECKING:
    from numpy.random import Generator

    from policies.bandit.beliefs import Beliefs
    from policies.statistics.observed import Observed


@dataclass(frozen=True, slots=True)
class Bandit(ABC):
    """Moves the traffic to the arms with the better reward; a kind says by which shares.

    Starts at the configured weights. A variant of weight 0 is paused and stays so. Raises `ValueError` for a
    metric or guardrail that the experiment does not have.
    """

    # After a pause it goes on with what it found: an arm that was taken out stays out.
    resumes: ClassVar[bool] = True

    allocation: Allocation
    parameters: BanditParameters

    def __post_init__(self) -> None:
        if not self.allocation.metrics:
            raise ValueError("a bandit needs a metric to move the traffic by, and the experiment has none")
        if self.metric.per == "request" and self.parameters.baseline == "stable":
            raise ValueError(
                f"metric {self.metric.name!r} is per request, whose late outcomes make young epochs look "
                "worse: it takes baseline: drifting"
            )
        for guardrail in self.parameters.guardrails or ():
            if guardrail.metric != ERRORS and self._margin(guardrail) is None:
                raise ValueError(f"guardrail {guardrail.metric!r} has no margin, and its metric none either")

    @property
    def metric(self) -> MetricSpec:
        """The reward."""
        named = self.parameters.metric
        return self.allocation.metrics[0] if named is None else self.allocation.metric(named)

    @property
    def guardrails(self) -> tuple[Guardrail, ...]:
        """What is watched: as configured, else errors and the metrics that are declared as guardrails."""
        if self.parameters.guardrails is not None:
            return self.parameters.guardrails
        declared = [metric for metric in self.allocation.metrics if metric.guardrail]
        return (Guardrail(ERRORS), *(Guardrail(metric.name, metric.margin) for metric in declared))

    @property
    def interval(self) -> float | None:
        """``every``, in seconds."""
        return self.parameters.every.total_seconds()

    @property
    def latency_limits(self) -> tuple[float, ...]:
        """None: rewards and guardrails are metrics and errors."""
        return ()

    @property
    def floor(self) -> float:
        """The share of the traffic that explores, all arms together."""
        return self.parameters.floor

    @property
    def stop(self) -> Stop | None:
        """What follows when a winner is found; None for a kind that goes on."""
        return None

    @abstractmethod
    def shares(self, found: Beliefs) -> Sequence[float]:
        """The share of each arm, before the floor; they sum to 1."""

    def plan(
        self, observed: Observed | None, now: float, rng: Generator | None, progress: Mapping[str, Any]
    ) -> Plan:
        """The starting weights, and from the first evidence on what follows from it; draws nothing."""
        weights = self.allocation.weights
        if observed is None or not observed.epochs or not fsum(weights.values()) > 0:
            memory = Memory(began=now, moved=now, weights=dict(weights))
            return Plan(
                self.allocation.salt,
                weights,
                draw=self.parameters.draw,
                why="starting weights",
                progress=memory.progress(),
            )
        from policies.bandit.learning import next_plan  # numpy and scipy, which a data plane has not

        return next_plan(self, observed, now, progress)

    def _margin(self, guardrail: Guardrail) -> float | None:
        """Its own, else its metric's; `ValueError` where there is no such metric, whoever has the margin."""
        metric = self.allocation.metric(guardrail.metric)
        return metric.margin if guardrail.margin is None else guardrail.margin


@dataclass(frozen=True, slots=True)
class StoppingBandit(Bandit):
    """A bandit that names a winner, and then does as configured."""

    Parameters: ClassVar[type[StoppingParameters]] = StoppingParameters

    parameters: StoppingParameters

    @property
    def stop(self) -> Stop | None:
        """As configured."""
        return self.parameters.stop
