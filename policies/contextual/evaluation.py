"""What would other policies have earned on the decisions that were logged?

Each alternative is valued by ips, snips and dr (`off_policy_value`), on the probability that was recorded
with each decision. What is learnt from the log is valued on the half that it was not learnt from, or it would
look better than it is; and so are the rewards that the doubly robust value predicts (cross-fitting:
Chernozhukov et al. 2018). Whether one is better than an even split is said by their difference, paired by
decision (`off_policy_contrast`), not by two intervals side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from policies.contextual.learning import learn
from policies.contextual.scoring import Scorer
from policies.statistics.adaptive.off_policy import Estimator, off_policy_value
from policies.statistics.adaptive.off_policy_contrast import off_policy_contrast
from policies.statistics.observed import ObservedLinear
from policies.statistics.result import Estimate, NotEstimable

Floats = NDArray[np.float64]

ESTIMATORS: Final[tuple[Estimator, ...]] = ("ips", "snips", "dr")
_HALVES: Final = (0, 1)


@dataclass(frozen=True, slots=True)
class Decisions:
    """n logged decisions between K ``variants``: features (n, d), and (n,) each of the variant's place, the
    probability it was chosen with, and the reward.
    """

    variants: tuple[str, ...]
    features: Floats
    chosen: NDArray[np.int64]
    propensity: Floats
    reward: Floats

    def sums(self, rows: NDArray[np.bool_] | None = None) -> dict[str, ObservedLinear]:
        """What linear models need of all decisions, or of some ``rows`` (n,), by variant."""
        found = {}
        for place, name in enumerate(self.variants):
            some = self.chosen == place if rows is None else rows & (self.chosen == place)
            x, y = self.features[some], self.reward[some]
            gram = tuple(tuple(row) for row in (x.T @ x).tolist())
            found[name] = ObservedLinear(float(len(y)), gram, tuple((x.T @ y).tolist()), float(y @ y))
        return found


@dataclass(frozen=True, slots=True)
class Valued:
    """An alternative, by its name and in words; by estimator its value, and how much that is above even's."""

    name: str
    text: str
    values: Mapping[str, Estimate | NotEstimable]
    over_even: Mapping[str, Estimate | NotEstimable]


def evaluate(decisions: Decisions, rule: Mapping[str, Any], *, sign: int, l2: float) -> tuple[Valued, ...]:
    """The values of each variant alone, of an even split, and of the rule as it learns.

    ``rule`` is a plan's; ``sign`` -1 where less reward is better. The values are in the reward's own unit.
    Decisions of variants that the policy no longer has are left out by the caller.
    """
    count, arms = len(decisions.reward), len(decisions.variants)
    halves = np.arange(count) % 2
    predicted = np.zeros((count, arms))
    learnt = np.full((count, arms), 1.0 / arms)
    weights = dict.fromkeys(decisions.variants, 1.0)
    order = [sorted(decisions.variants).index(name) for name in decisions.variants]
    for half in _HALVES:
        here = halves == half
        known = decisions.sums(~here)
        models, deviation = learn(known, decisions.variants, decisions.features.shape[1], sign=1, l2=l2)
        theta = np.array([models[name]["theta"] for name in decisions.variants])
        predicted[here] = decisions.features[here] @ theta.T
        oriented = {name: {**model, "theta": _times(sign, model["theta"])} for name, model in models.items()}
        scorer = Scorer({**rule, "arms": oriented, "scale": _scale(rule, deviation)}, weights)
        rows = np.array([scorer.probabilities(x) for x in decisions.features[here].tolist()])
        learnt[here] = rows.reshape(-1, arms)[:, order]

    alternatives = [
        (f"only-{name}", f"every request to {name}", np.tile(np.eye(arms)[place], (count, 1)))
        for place, name in enumerate(decisions.variants)
    ]
    even = np.full((count, arms), 1.0 / arms)
    alternatives.append(("even", "an even split", even))
    alternatives.append(("learnt", "the policy, as learnt from the log's other half", learnt))
    logged = decisions.chosen.tolist(), decisions.reward, decisions.propensity
    return tuple(
        Valued(
            name,
            text,
            {each: off_policy_value(*logged, policy, predicted, estimator=each) for each in ESTIMATORS},
            {
                each: off_policy_contrast(*logged, policy, even, predicted, estimator=each)
                for each in ESTIMATORS
            },
        )
        for name, text, policy in alternatives
    )


def _times(sign: int, values: list[float]) -> list[float]:
    return [sign * value for value in values]


def _scale(rule: Mapping[str, Any], deviation: float) -> float:
    """By as many residual deviations as the policy explores with."""
    return float(rule["exploration"]) * deviation
