"""Which decisions were logged with the features that they depended on, and what did each earn?

Both logs are lists of the newest lines, so that their memory is bounded; whoever reads them joins them by the
decision's number, the same that its token carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from redis.asyncio import Redis

from router.store import keys
from router.store.client import seam


class LoggedDecision(NamedTuple):
    """A decision: its number, when (unix seconds), the variant, with which probability, and the features."""

    decision: int
    time: int
    variant: str
    propensity: float
    features: Sequence[float]


_encode = msgspec.json.Encoder().encode
_decode_decision = msgspec.json.Decoder(LoggedDecision).decode
_decode_reward = msgspec.json.Decoder(tuple[int, float]).decode


def decision_line(decision: LoggedDecision) -> str:
    """A decision as a line of its log."""
    return _encode(decision).decode()


def reward_line(decision: int, value: float) -> str:
    """A reward as a line of its log."""
    return _encode((decision, value)).decode()


async def read_logs(redis: Redis, experiment: str) -> tuple[list[bytes], list[bytes]]:
    """The lines of both logs, the oldest first: of decisions, and of rewards."""
    with seam():
        async with redis.pipeline(transaction=True) as pipe:
            pipe.lrange(keys.decisions(experiment), 0, -1)
            pipe.lrange(keys.rewards(experiment), 0, -1)
            decisions, rewards = await pipe.execute()
    return decisions, rewards


def decoded(
    decisions: Sequence[bytes], rewards: Sequence[bytes]
) -> tuple[list[LoggedDecision], list[tuple[int, float]]]:
    """What `read_logs` read: takes a while for many, so it may run in a thread."""
    return [_decode_decision(line) for line in decisions], [_decode_reward(line) for line in rewards]
