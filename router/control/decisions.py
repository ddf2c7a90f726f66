"""What was logged of an experiment that decides by features, as its policy and its evaluation take it?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from redis.asyncio import Redis

from policies.contextual.evaluation import Decisions
from router.store.decisions import decoded, read_logs


async def read_decisions(
    redis: Redis, name: str, rule: Mapping[str, Any], variants: Sequence[str], per: str, now: float
) -> Decisions:
    """The logged decisions of these variants, with the features that the rule has.

    A decision without a reward earned 0 where the metric is ``per`` request, and says nothing where it is per
    outcome; one that is younger than the rule's patience says nothing until it has a reward. ``now`` is in
    unix seconds.
    """
    lines = await read_logs(redis, name)
    return await asyncio.to_thread(_joined, *lines, rule, variants, per, now)


def _joined(
    decisions: Sequence[bytes],
    rewards: Sequence[bytes],
    rule: Mapping[str, Any],
    variants: Sequence[str],
    per: str,
    now: float,
) -> Decisions:
    logged, earned = decoded(decisions, rewards)
    totals: dict[int, float] = {}
    for decision, value in earned:
        totals[decision] = totals.get(decision, 0.0) + value
    places = {variant: place for place, variant in enumerate(variants)}
    dimension = 1 + sum(len(feature.get("values", ())) or 1 for feature in rule["features"])
    oldest = now - rule["patience"]
    used = [
        each
        for each in logged
        if each.variant in places
        and len(each.features) == dimension
        and (each.decision in totals or (per == "request" and each.time <= oldest))
    ]
    return Decisions(
        variants=tuple(variants),
        features=np.array([each.features for each in used], np.float64).reshape(len(used), dimension),
        chosen=np.array([places[each.variant] for each in used], np.int64),
        propensity=np.array([each.propensity for each in used], np.float64),
        reward=np.array([totals.get(each.decision, 0.0) for each in used], np.float64),
    )
