"""An experiment's requests and outcomes, as a data plane would have sent them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from redis.asyncio import Redis

from router.store.outcomes import Outcome, add
from router.store.records import Batch, Delta, record

Values = Mapping[str, Mapping[str, Sequence[float]]]


async def post(
    redis: Redis, values: Values, kind: Literal["binary", "mean"] = "mean", epoch: int = 1
) -> None:
    """One request of each unit of "ranker", and its outcomes: ``values`` by variant, metric and unit."""
    outcomes, deltas = [], []
    for v, (variant, by_metric) in enumerate(values.items()):
        units = range(len(next(iter(by_metric.values()))))
        positions = [v * len(units) + unit for unit in units]
        requests = dict.fromkeys(range(1024), len(units) // 1024)
        deltas.append(Delta(epoch=epoch, variant=variant, requests=requests, positions=positions))
        outcomes += [
            Outcome(
                experiment="ranker", epoch=epoch, variant=variant, bucket=unit % 1024, metric=metric,
                kind=kind, value=float(given[unit]), ttl_seconds=600,
                dedupe=f"{epoch}{metric[0]}{v}{unit}".encode().ljust(16),
            )
            for metric, given in by_metric.items()
            for unit in units
        ]  # fmt: skip
    assert await record(redis, Batch(experiment="ranker", writer="w", number=epoch, deltas=deltas))
    assert all(await add(redis, outcomes))
