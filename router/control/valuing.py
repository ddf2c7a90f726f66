"""How do logged decisions become the values of alternatives, as the API shows them?"""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from policies.contextual.evaluation import Decisions, Valued, evaluate
from policies.metric import SIGN
from policies.statistics.result import Estimate, NotEstimable
from router.control.api.off_policy import AlternativeView, OffPolicyView, ValueView
from router.control.decisions import read_decisions
from router.settings import Experiment
from router.state import Epoch


async def values_of(
    redis: Redis, name: str, experiment: Experiment, epoch: Epoch, now: float
) -> OffPolicyView:
    """Of an experiment whose epoch has a rule; ``now`` in unix seconds."""
    rule = epoch.rule
    assert rule is not None
    variants = [variant for variant, weight in epoch.weights.items() if weight > 0]
    reward = next(each for each in experiment.metrics if each.name == rule["metric"])
    decisions = await read_decisions(redis, name, rule, variants, reward.per, now)
    valued: tuple[Valued, ...] = ()
    if len(decisions.reward):
        valued = await asyncio.to_thread(
            lambda: evaluate(decisions, rule, sign=SIGN[reward.goal], l2=rule["l2"])
        )
    return OffPolicyView(
        experiment=name,
        metric=reward.name,
        goal=reward.goal,
        decisions=len(decisions.reward),
        logged=_mean(decisions),
        alternatives=tuple(
            AlternativeView(
                name=each.name,
                text=each.text,
                values=tuple(_value(estimator, found) for estimator, found in each.values.items()),
                over_even=tuple(_value(estimator, found) for estimator, found in each.over_even.items()),
            )
            for each in valued
        ),
    )


def _mean(decisions: Decisions) -> float | None:
    return float(decisions.reward.mean()) if len(decisions.reward) else None


def _value(estimator: str, found: Estimate | NotEstimable) -> ValueView:
    if isinstance(found, NotEstimable):
        return ValueView(estimator=estimator, reason=found.reason)
    size = found.detail("effective_sample_size")
    return ValueView(
        estimator=estimator,
        value=found.estimate,
        low=found.low,
        high=found.high,
        effective_sample_size=float(size) if isinstance(size, float) else None,
    )
