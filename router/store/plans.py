"""By which plan was each epoch opened, and what does each policy say now?

A plan's record holds everything that the policy was given, so that it can be computed again. It is stored
before the commit that opens its epoch; so a record may belong to an epoch that never came to be, and is
found by the epoch's number and start together.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from router.store import keys
from router.store.client import seam

KEPT_PLANS: Final = 500
# The oldest are looked for when so many more are there, not at each plan.
_SLACK: Final = 50


class Planned(Struct, frozen=True, kw_only=True):
    """What a policy planned: `policies.plan.Plan` as JSON's types."""

    salt: str
    weights: dict[str, float]
    copies: dict[str, str]
    draw: str
    rule: dict[str, Any] | None
    why: str
    findings: dict[str, Any]
    progress: dict[str, Any]


class PlanRecord(Struct, frozen=True, kw_only=True):
    """A plan and all that it follows from: planned ``at`` unix seconds, when its epoch began.

    ``policy`` is the configuration's kind and parameters, ``allocation`` is `policies.policy.Allocation`,
    ``observed`` what `policies.statistics.observed.to_json` wrote, None where nothing had been seen, and
    ``seed`` that of the generator, None where there was none; ``given`` is the progress it began with.
    """

    experiment: str
    epoch: int
    at: float
    policy: dict[str, Any]
    allocation: dict[str, Any]
    given: dict[str, Any]
    observed: dict[str, Any] | None
    seed: int | None
    planned: Planned


class PolicyStatus(Struct, frozen=True, kw_only=True):
    """What a policy said ``at`` unix seconds of the epoch it found; it plans again at ``due``."""

    epoch: int
    at: float
    due: float
    why: str
    findings: dict[str, Any]


_encode = msgspec.json.Encoder().encode
_decode_record = msgspec.json.Decoder(PlanRecord).decode
_decode_status = msgspec.json.Decoder(PolicyStatus).decode


async def save_plan(redis: Redis, record: PlanRecord, started: float) -> None:
    """Keep the record of the plan of an epoch that ``started`` then, and the newest `KEPT_PLANS` in all."""
    key = keys.plans(record.experiment)
    document = zlib.compress(_encode(record))
    with seam():
        await redis.hset(key, _field(record.epoch, started), document)
        count: Any = await redis.hlen(key)
        if count > KEPT_PLANS + _SLACK:
            fields: Any = await redis.hkeys(key)
            oldest = sorted(fields, key=_place)[: count - KEPT_PLANS]
            await redis.hdel(key, *oldest)


async def read_plan(redis: Redis, experiment: str, epoch: int, started: float) -> PlanRecord | None:
    """The record of the plan that opened this epoch; None where an operator did, or it is no longer kept."""
    with seam():
        document: Any = await redis.hget(keys.plans(experiment), _field(epoch, started))
    return None if document is None else _decode_record(zlib.decompress(document))


async def read_plans(redis: Redis, experiment: str, epochs: Mapping[int, float]) -> dict[int, PlanRecord]:
    """The records there are of these epochs, by number; ``epochs`` has the number and start of each."""
    if not epochs:
        return {}
    with seam():
        documents: Any = await redis.hmget(
            keys.plans(experiment), [_field(number, started) for number, started in epochs.items()]
        )
    return {
        number: _decode_record(zlib.decompress(document))
        for number, document in zip(epochs, documents, strict=True)
        if document is not None
    }


async def save_status(redis: Redis, experiment: str, status: PolicyStatus) -> None:
    """Replace what a policy said last."""
    with seam():
        await redis.set(keys.policy(experiment), _encode(status))


async def read_status(redis: Redis, experiment: str) -> PolicyStatus | None:
    """What a policy said last; None where it has not yet."""
    with seam():
        document: Any = await redis.get(keys.policy(experiment))
    return None if document is None else _decode_status(document)


def _field(epoch: int, started: float) -> str:
    return f"{epoch}@{started!r}"


def _place(field: bytes) -> tuple[int, float]:
    number, _, started = field.partition(b"@")
    return int(number), float(started)
