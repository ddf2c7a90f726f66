"""An experiment of two epochs, what is posted of it, and what is read."""

from __future__ import annotations

from redis.asyncio import Redis

from policies.statistics.evidence import ExperimentEvidence
from router.control.evidence import read_evidence
from router.settings import Duration, Experiment, Metric, UnitSource, Variant
from router.state import Epoch

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


async def read(redis: Redis) -> ExperimentEvidence:
    return await read_evidence(redis, "ranker", EXPERIMENT, NOW)
