"""Are logged decisions and their rewards kept, once each, and no more of them than was asked for?"""

from __future__ import annotations

from redis.asyncio import Redis

from router.store.decisions import LoggedDecision, decision_line, decoded, read_logs
from router.store.outcomes import Outcome, add
from router.store.records import Batch, record

FIRST = LoggedDecision(2**63 + 5, 1_700_000_000, "champion", 0.25, [1.0, 0.5])


def batch(number: int, *lines: str, keep: int = 100) -> Batch:
    return Batch(
        experiment="ranker",
        writer="w",
        number=number,
        deltas=[],
        decisions=list(lines),
        keep_decisions=keep,
    )


def outcome(identity: int, decision: int | None, keep: int = 100) -> Outcome:
    return Outcome(
        experiment="ranker",
        epoch=1,
        variant="champion",
        bucket=5,
        dedupe=identity.to_bytes(16),
        metric="clicked",
        kind="binary",
        value=1.0,
        ttl_seconds=60,
        decision=decision,
        keep_rewards=keep,
    )


async def test_decisions_and_rewards_come_back_as_they_went_in(redis: Redis) -> None:
    second = FIRST._replace(decision=7)
    assert await record(redis, batch(1, decision_line(FIRST), decision_line(second)))
    assert await add(redis, [outcome(1, 7), outcome(2, None), outcome(3, 2**63 + 5)]) == [True] * 3
    decisions, rewards = decoded(*await read_logs(redis, "ranker"))
    assert decisions == [FIRST, second]
    assert rewards == [(7, 1.0), (2**63 + 5, 1.0)]


async def test_what_is_sent_twice_is_there_once(redis: Redis) -> None:
    for _ in range(2):
        await record(redis, batch(1, decision_line(FIRST)))
        await add(redis, [outcome(1, 7)])
    decisions, rewards = await read_logs(redis, "ranker")
    assert (len(decisions), len(rewards)) == (1, 1)


async def test_only_the_newest_are_kept(redis: Redis) -> None:
    lines = [decision_line(FIRST._replace(decision=number)) for number in range(9_000)]
    await record(redis, batch(1, *lines, keep=8_500))
    await add(redis, [outcome(number, number, keep=3) for number in range(5)])
    decisions, rewards = decoded(*await read_logs(redis, "ranker"))
    assert [each.decision for each in decisions] == list(range(500, 9_000))
    assert [decision for decision, _ in rewards] == [2, 3, 4]
