"""Evidence and bandits for the tests, from plain counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from policies.metric import MetricSpec
from policies.plan import Plan
from policies.policy import Allocation, Policy, find_policy
from policies.statistics.means import Mean
from policies.statistics.observed import Observed, ObservedEpoch, ObservedMetric, ObservedVariant

START = 1_700_000_000.0
WON = MetricSpec("won", "binary")
LOST = MetricSpec("won", "binary", "decrease")
AMOUNT = MetricSpec("amount", "mean")

Counts = Sequence[tuple[int, int]]
"""(wins, trials) of each arm in one epoch."""


def bandit(
    kind: str = "thompson", arms: int = 2, metrics: Sequence[MetricSpec] = (WON,), **given: Any
) -> Policy:
    """One with arms a, b, ...; explores and waits for nothing unless told otherwise."""
    found = find_policy(kind)
    chosen = {"floor": 0.0, "min_units": 0, **given}
    weights = dict.fromkeys(names(arms), 1.0)
    return found(Allocation("salt", weights, "a", tuple(metrics)), found.Parameters(**chosen))


def names(arms: int) -> list[str]:
    return [chr(ord("a") + k) for k in range(arms)]


def rates(*epochs: Counts, every: float = 3600.0, errors: Sequence[Counts] | None = None) -> Observed:
    """Epochs of 0-or-1 outcomes, each as long as the next, the last still open."""
    return observed(
        [
            {
                name: variant(
                    "won", Mean.of_rate(*pair), pair[1], pair[0], (errors or epochs)[e][k] if errors else None
                )
                for k, (name, pair) in enumerate(zip(names(len(counts)), counts, strict=True))
                if pair[1] > 0
            }
            for e, counts in enumerate(epochs)
        ],
        every,
    )


def observed(variants: Sequence[Mapping[str, ObservedVariant]], every: float = 3600.0) -> Observed:
    last = len(variants) - 1
    return Observed(
        "ranker",
        "a",
        tuple(
            ObservedEpoch(
                e + 1,
                START + e * every,
                None if e == last else START + (e + 1) * every,
                dict.fromkeys(each, 1.0),
                dict(each),
            )
            for e, each in enumerate(variants)
        ),
    )


def variant(
    metric: str, mean: Mean, count: float, total: float, errors: tuple[int, int] | None = None
) -> ObservedVariant:
    requests = errors[1] if errors else int(count)
    failed = Mean.of_rate(*errors) if errors else Mean.of_rate(0, requests)
    return ObservedVariant(
        units=float(count),
        requests=requests,
        immature_requests=0,
        errors=ObservedMetric(failed, requests, errors[0] if errors else 0),
        slow={},
        metrics={metric: ObservedMetric(mean, count, total)},
    )


def planned(
    policy: Policy, seen: Observed, hours: float = 100.0, progress: Mapping[str, Any] | None = None
) -> Plan:
    """The plan after so many hours; the bandit began with the first epoch."""
    begun = policy.plan(None, START, None, {}).progress
    return policy.plan(seen, START + hours * 3600.0, None, begun if progress is None else progress)


def weights(plan: Plan) -> list[float]:
    """The shares, in the order of the arms' names."""
    total = sum(plan.weights.values())
    return [plan.weights[name] / total for name in sorted(plan.weights)]
