"""How does an outcome get counted, exactly once however often it is posted?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from policies.assignment import BUCKETS
from router.store import keys
from router.store.client import seam
from router.store.decisions import reward_line
from router.store.script import Script


class Outcome(Struct, frozen=True, kw_only=True):
    """A value to count for the epoch, variant and bucket that a decision was made in.

    Two outcomes of one experiment with the same ``dedupe`` (16 bytes) are the same outcome: the first counts,
    and the others do not for ``ttl_seconds``. ``value`` is finite; 0 or 1 where ``kind`` is binary. One of a
    logged ``decision`` goes to the log of rewards as well, of which the newest ``keep_rewards`` are kept.
    ``capped`` says whether the value was above the metric's cap, None where it has none.
    """

    experiment: str
    epoch: int
    variant: str
    bucket: int
    dedupe: bytes
    metric: str
    kind: Literal["binary", "mean"]
    value: float
    ttl_seconds: int
    decision: int | None = None
    keep_rewards: int = 1
    capped: bool | None = None


_script = Script("outcomes")
_encode = msgspec.json.Encoder().encode


async def add(redis: Redis, outcomes: Sequence[Outcome]) -> list[bool]:
    """Count outcomes; for each whether it was counted (True) or had been before (False).

    One script for each experiment, all at once: in a Cluster they are on several nodes. An experiment's are
    counted all or none. After `StoreUnavailable` it is unknown which were counted: add the same again, and
    each is counted once in all.
    """
    if not outcomes:
        return []
    places: dict[str, list[int]] = {}
    for place, outcome in enumerate(outcomes):
        places.setdefault(outcome.experiment, []).append(place)
    calls = [_call(name, [outcomes[place] for place in chosen]) for name, chosen in places.items()]

    with seam():
        if len(calls) == 1:
            replies = [await _script.run(redis, *calls[0])]
        else:
            replies = await _all_done(_script.run(redis, *call) for call in calls)

    counted = [False] * len(outcomes)
    for chosen, reply in zip(places.values(), replies, strict=True):
        for place, new in zip(chosen, reply, strict=True):
            counted[place] = new == 1
    return counted


async def _all_done(running: Iterable[Awaitable[Any]]) -> list[Any]:
    """All results; the first error only when nothing is under way any more."""
    results = await asyncio.gather(*running, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def _call(experiment: str, outcomes: Sequence[Outcome]) -> tuple[list[str | bytes], list[bytes | int]]:
    """The script's keys and arguments: see its own head."""
    series: dict[tuple[int, str, str, str], int] = {}
    items = []
    for outcome in outcomes:
        identity = (outcome.epoch, outcome.variant, outcome.metric, outcome.kind)
        index = series.setdefault(identity, len(series))
        line = "" if outcome.decision is None else reward_line(outcome.decision, outcome.value)
        items.append((index, outcome.bucket, outcome.value, outcome.ttl_seconds, line, outcome.capped))
    names: list[str | bytes] = [keys.dedupe(experiment, outcome.dedupe) for outcome in outcomes]
    for epoch, variant, metric, kind in series:
        names.append(keys.outcomes(experiment, epoch, variant, metric, kind, "count"))
        names.append(keys.outcomes(experiment, epoch, variant, metric, kind, "sum"))
        names.append(keys.outcomes(experiment, epoch, variant, metric, kind, "capped"))
    names.append(keys.rewards(experiment))
    return names, [_encode(items), max(outcome.keep_rewards for outcome in outcomes), BUCKETS - 1]
