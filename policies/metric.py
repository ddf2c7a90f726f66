"""What does an experiment measure, and which direction is good?

Stdlib only: the data plane reads these to record outcomes, the control plane to judge them.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import Final, Literal, get_args

Kind = Literal["binary", "mean"]
Goal = Literal["increase", "decrease"]
Per = Literal["outcome", "request"]

SIGN: Final[dict[str, int]] = {"increase": 1, "decrease": -1}


@dataclass(frozen=True, slots=True)
class BetaPrior:
    """Belief about a rate before the first outcome: Beta(alpha, beta), in pseudo-outcomes."""

    alpha: float = 1.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        _require_positive("prior.alpha", self.alpha)
        _require_positive("prior.beta", self.beta)


@dataclass(frozen=True, slots=True)
class NormalPrior:
    """Belief about a mean before the first outcome: Normal(mean, deviation), in the metric's unit."""

    mean: float = 0.0
    deviation: float = 1.0

    def __post_init__(self) -> None:
        if not isfinite(self.mean):
            raise ValueError(f"prior.mean must be finite, got {self.mean!r}")
        _require_positive("prior.deviation", self.deviation)


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One outcome metric as the experiment declares it.

    ``kind``: ``binary`` outcomes are 0 or 1, ``mean`` outcomes any number. ``per``: the mean is taken per
    ``outcome`` that arrived, or per ``request`` that was routed (a request without an outcome counts as 0).
    ``margin`` is the smallest difference that matters, in the metric's own unit (0.01 is one percentage
    point of a binary metric); differences inside it are no difference. A ``guardrail`` is watched for harm
    rather than hoped to improve. ``cap`` is the value above which outcomes are cut off when recorded, the
    same for all variants. ``covariate`` names another metric that explains part of this one's variance: its
    values are posted with the same tokens, but were settled before the unit was assigned. ``prior`` serves
    the Bayesian methods and bandits.

    Raises ValueError for unknown words (with the known ones and the nearest) and for numbers out of range.
    """

    name: str
    kind: Kind
    goal: Goal = "increase"
    per: Per = "outcome"
    margin: float | None = None
    guardrail: bool = False
    cap: float | None = None
    covariate: str | None = None
    prior: BetaPrior | NormalPrior | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a metric needs a name")
        _require_known(f"metric {self.name!r}: kind", self.kind, get_args(Kind))
        _require_known(f"metric {self.name!r}: goal", self.goal, get_args(Goal))
        _require_known(f"metric {self.name!r}: per", self.per, get_args(Per))
        if self.margin is not None:
            _require_positive(f"metric {self.name!r}: margin", self.margin)
        if self.guardrail and self.margin is None:
            raise ValueError(f"metric {self.name!r}: a guardrail needs a margin, the harm it would tolerate")
        if self.cap is not None and not isfinite(self.cap):
            raise ValueError(f"metric {self.name!r}: cap must be finite, got {self.cap!r}")
        if self.covariate == self.name:
            raise ValueError(f"metric {self.name!r}: a metric cannot be its own covariate")
        if self.prior is not None and isinstance(self.prior, BetaPrior) != (self.kind == "binary"):
            raise ValueError(f"metric {self.name!r}: a {self.kind} metric takes a {_PRIOR_OF[self.kind]}")

    @property
    def sign(self) -> int:
        """1 when more is better, -1 when less is: what the effect is multiplied by before it is judged."""
        return SIGN[self.goal]


_PRIOR_OF: Final = {"binary": "BetaPrior", "mean": "NormalPrior"}


def _require_positive(name: str, value: float) -> None:
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{name} must be finite and > 0, got {value!r}")


def _require_known(name: str, value: str, known: tuple[str, ...]) -> None:
    if value in known:
        return
    near = get_close_matches(value, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}{hint}")
