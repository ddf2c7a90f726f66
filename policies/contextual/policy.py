"""How does a policy that looks at features plan? The same for all that differ only in how they choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from policies.contextual.features import Encoder, Feature
from policies.metric import SIGN
from policies.plan import Draw, Plan
from policies.policy import NOT_BEFORE, Allocation

if TYPE_CHECKING:
    from numpy.random import Generator

    from policies.statistics.observed import Observed

# The older it is the longer it pauses, so that the number of epochs grows with the logarithm of its age.
_PLANS_IN_AGE: Final = 100.0


@dataclass(frozen=True, slots=True)
class ContextualParameters:
    """``metric``: the reward, by default the experiment's first. ``features``: what the choice may depend on.
    ``every``: how often it learns. ``floor``: the total probability that is spread evenly over the variants.
    ``exploration``: by how many residual standard deviations. ``l2``: the ridge, in decisions.
    ``min_decisions`` of each variant before it learns. ``draw``: by request, or the same for a unit as long
    as its probabilities are. ``keep``: how many logged decisions it learns from, the newest.
    """

    features: tuple[Feature, ...] = ()
    metric: str | None = None
    every: timedelta = timedelta(minutes=1)
    floor: float = 0.05
    exploration: float = 1.0
    l2: float = 1.0
    min_decisions: int = 100
    draw: Draw = "request"
    keep: int = 100_000
    patience: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if not timedelta(seconds=1) <= self.every:
            raise ValueError("every is too short; allowed: 1s or more")
        if not 0.0 < self.floor <= 1.0:
            raise ValueError(f"floor is {self.floor:g}; allowed: above 0, at most 1")
        if not self.exploration > 0.0:
            raise ValueError(f"exploration is {self.exploration:g}; allowed: more than 0")
        if not self.l2 > 0.0:
            raise ValueError(f"l2 is {self.l2:g}; allowed: more than 0")
        if self.min_decisions < 1 or not 100 <= self.keep <= 1_000_000:
            raise ValueError("min_decisions and keep; allowed: 1 or more, and 100 to 1000000")
        Encoder(self.features)


@dataclass(frozen=True, slots=True)
class ContextualPolicy:
    """Learns one linear model for each variant from logged decisions."""

    # After a pause what it has learnt holds at once, until it learns again.
    resumes: ClassVar[bool] = True

    kind: ClassVar[str]
    choice: ClassVar[str]
    Parameters: ClassVar[type[ContextualParameters]] = ContextualParameters

    allocation: Allocation
    parameters: ContextualParameters

    def __post_init__(self) -> None:
        if not self.allocation.metrics:
            raise ValueError("it needs a metric to learn from; the experiment has none")
        if self.parameters.metric is not None:
            self.allocation.metric(self.parameters.metric)

    @property
    def interval(self) -> float | None:
        """As the operator wrote it."""
        return self.parameters.every.total_seconds()

    @property
    def latency_limits(self) -> tuple[float, ...]:
        """None."""
        return ()

    @property
    def reward(self) -> str:
        """The metric that it learns from."""
        return self.parameters.metric or self.allocation.metrics[0].name

    def plan(
        self, observed: Observed | None, now: float, rng: Generator | None, progress: Mapping[str, Any]
    ) -> Plan:
        """The weights as allocated, and the rule by which a request's features change them."""
        counts: dict[str, float] = {}
        arms: dict[str, Any] = {}
        deviation = 1.0
        alive = sorted(name for name, weight in self.allocation.weights.items() if weight > 0)
        why = "collecting decisions"
        if observed is not None:
            counts = {name: observed.linear[name].count for name in alive if name in observed.linear}
            if all(counts.get(name, 0.0) >= self.parameters.min_decisions for name in alive):
                from policies.contextual.learning import learn

                sign = SIGN[self.allocation.metric(self.reward).goal]
                dimension = Encoder(self.parameters.features).dimension
                arms, deviation = learn(observed.linear, alive, dimension, sign=sign, l2=self.parameters.l2)
                why = f"learnt from {sum(counts.values()):.0f} decisions"
        rule = {
            "choice": self.choice,
            "metric": self.reward,
            "keep": self.parameters.keep,
            "patience": self.parameters.patience.total_seconds(),
            "features": [_plain(feature) for feature in self.parameters.features],
            "floor": self.parameters.floor,
            "exploration": self.parameters.exploration,
            "scale": self.parameters.exploration * deviation,
            "l2": self.parameters.l2,
            "arms": arms,
        }
        began = float(progress.get("began", now))
        pause = max(self.parameters.every.total_seconds(), (now - began) / _PLANS_IN_AGE)
        return Plan(
            self.allocation.salt,
            self.allocation.weights,
            draw=self.parameters.draw,
            rule=rule,
            why=why,
            findings={"decisions": counts, "residual_deviation": deviation},
            progress={"began": began, NOT_BEFORE: now + pause},
        )


def _plain(feature: Feature) -> dict[str, Any]:
    """The feature as JSON's types, without what it leaves open."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(feature).items()
        if value is not None and value != ()
    }
