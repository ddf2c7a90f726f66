"""An experiment of two epochs, what is posted of it, and what is read."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from policies.statistics.evidence import ExperimentEvidence
from router.control.evidence import read_evidence
from router.settings import Duration, Experiment, Metric, UnitSource, Variant
from router.state import Epoch
from router.store.outcomes import Outcome

NOW = 1_700_000_000.0
VARIANTS = ("champion", "challenger")
EXPERIMENT = Experiment(
    unit=(UnitSource(header="x-user-id"),),
    variants={name: Variant(backend=name, weight=50) for name in VARIANTS},
    control="champion",
    metrics=(Metric(name="correct", kind="binary"), Metric(name="revenue", kind="mean", cap=9.0)),
    attribution=Duration(3600),
)


def epoch(number: int) -> Epoch:
    started = NOW - 10_000 + 1000 * number
    return Epoch(number=number, started=started, salt="ranker", weights=dict.fromkeys(VARIANTS, 1.0), why="")


def outcome(identity: int, **changes: Any) -> Outcome:
    fields: dict[str, Any] = {
        "experiment": "ranker",
        "epoch": 1,
        "variant": "champion",
        "bucket": 5,
        "dedupe": identity.to_bytes(16),
        "metric": "revenue",
        "kind": "mean",
        "value": 1.5,
        "ttl_seconds": 60,
    }
    return Outcome(**(fields | changes))


async def read(redis: Redis) -> ExperimentEvidence:
    return await read_evidence(redis, "ranker", EXPERIMENT, NOW)
