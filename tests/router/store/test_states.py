"""Do all who read and change the state agree on it?"""

from __future__ import annotations

import asyncio

import pytest
import yaml
from msgspec.structs import replace
from redis.asyncio import Redis

from router.errors import ConfigurationError, TurnoutError
from router.settings import Duration, Experiment, Metric, Settings, UnitSource, Variant
from router.state import Epoch, State
from router.store import keys, states
from tests.router.store.fixtures import primaries


def epoch(number: int, champion: float = 90.0, why: str = "first epoch") -> Epoch:
    weights = {"champion": champion, "challenger": 100.0 - champion}
    return Epoch(number=number, started=1_700_000_000.25, salt="ranker", weights=weights, why=why)


def state(version: int, **epochs: Epoch) -> State:
    experiment = Experiment(
        unit=(UnitSource(header="x-user-id"),),
        variants={"champion": Variant(backend="a", weight=90), "challenger": Variant(backend="b", weight=10)},
        control="champion",
        metrics=(Metric(name="correct", kind="binary"),),
        attribution=Duration(3600),
    )
    settings = Settings(backends={}, routes=(), experiments={"ranker": experiment})
    return State(version=version, settings=settings, epochs=epochs, key=bytes(range(32)))


async def test_there_is_none_at_first(redis: Redis) -> None:
    assert await states.read(redis) is None
    assert await states.version(redis) == 0
    assert await states.read_epochs(redis, "ranker") == []


async def test_what_is_committed_is_read(redis: Redis) -> None:
    assert await states.commit(redis, state(1, ranker=epoch(1)), 0)
    assert await states.read(redis) == state(1, ranker=epoch(1))
    assert await states.version(redis) == 1
    found = await states.read(redis)
    assert found is not None
    assert isinstance(found.settings.experiments["ranker"].attribution, Duration)


async def test_a_commit_against_another_version_changes_nothing(redis: Redis) -> None:
    await states.commit(redis, state(1, ranker=epoch(1)), 0)
    assert await states.commit(redis, state(1, ranker=epoch(2, 50)), 0) is False
    assert await states.commit(redis, state(3, ranker=epoch(2, 50)), 2) is False
    assert await states.version(redis) == 1
    assert await states.read_epochs(redis, "ranker") == [epoch(1)]


async def test_of_many_at_once_one_commits(redis: Redis) -> None:
    candidates = [state(1, ranker=epoch(1, champion)) for champion in range(1, 51)]
    committed = await asyncio.gather(*(states.commit(redis, one, 0) for one in candidates))
    assert sum(committed) == 1
    winner = candidates[committed.index(True)]
    assert await states.read(redis) == winner
    assert await states.read_epochs(redis, "ranker") == [winner.epochs["ranker"]]


async def test_a_server_that_is_full_takes_an_operators_change(redis: Redis) -> None:
    await states.commit(redis, state(1, ranker=epoch(1)), 0)
    for node in await primaries(redis):
        await node.config_set("maxmemory", 1)
    try:
        assert await states.commit(redis, state(2, ranker=epoch(2, 50)), 1)
        assert await states.commit(redis, state(2, ranker=epoch(2, 60)), 1) is False
        assert await states.read(redis) == state(2, ranker=epoch(2, 50))
    finally:
        for node in await primaries(redis):
            await node.config_set("maxmemory", 0)


async def test_what_was_in_force_before_is_not_committed_again(redis: Redis) -> None:
    """As after a failover that lost the last commits."""
    await states.commit(redis, state(1, ranker=epoch(1)), 0)
    assert await states.newest(redis) == 0
    for noted in (3, 2):
        await states.note_newest(redis, noted)
        assert await states.newest(redis) == 3
    with pytest.raises(states.StateOlder, match="version 1 of the state, and version 3"):
        await states.commit(redis, state(2, ranker=epoch(2, 50)), 1)
    assert await states.version(redis) == 1
    assert await states.read_epochs(redis, "ranker") == [epoch(1)]


async def test_a_version_is_the_one_after(redis: Redis) -> None:
    with pytest.raises(ValueError, match="version must be 1"):
        await states.commit(redis, state(2), 0)


async def test_a_commit_gives_notice(redis: Redis) -> None:
    async with redis.pubsub() as listener:
        await listener.subscribe(keys.NOTICE)
        assert (await listener.get_message(timeout=5))["type"] == "subscribe"
        await states.commit(redis, state(1), 0)
        await states.commit(redis, state(1), 0)
        await states.commit(redis, state(2), 1)
        notices = [await listener.get_message(timeout=5) for _ in range(2)]
        assert [notice["data"] for notice in notices] == [b"1", b"2"]


async def test_epochs_in_force_are_recorded_with_the_state(redis: Redis) -> None:
    await states.commit(redis, state(1, ranker=epoch(1), other=epoch(4)), 0)
    await states.commit(redis, state(2, ranker=epoch(2, 50), other=epoch(4)), 1)
    await states.commit(redis, state(3, ranker=epoch(10, 20), other=epoch(4)), 2)
    assert await states.read_epochs(redis, "ranker") == [epoch(1), epoch(2, 50), epoch(10, 20)]
    assert await states.read_epochs(redis, "other") == [epoch(4)]


async def test_an_epochs_number_is_not_given_twice(redis: Redis) -> None:
    await states.commit(redis, state(1, ranker=epoch(1), other=epoch(4)), 0)
    with pytest.raises(states.EpochConflict, match="epoch 4 of experiment 'other'"):
        await states.commit(redis, state(2, ranker=epoch(2), other=epoch(4, 50)), 1)
    assert await states.version(redis) == 1
    assert await states.read_epochs(redis, "ranker") == [epoch(1)]


async def test_recording_an_epoch_again_changes_nothing(redis: Redis) -> None:
    await states.record_epoch(redis, "ranker", epoch(1))
    await states.record_epoch(redis, "ranker", epoch(1))
    with pytest.raises(states.EpochConflict):
        await states.record_epoch(redis, "ranker", epoch(1, 50))
    assert await states.read_epochs(redis, "ranker") == [epoch(1)]


async def test_an_epoch_is_the_same_one_after_it_was_read(redis: Redis) -> None:
    """Also with a default that somebody wrote down: it is read as an equal text, and not the same object."""
    draw = yaml.safe_load("draw: unit")["draw"]
    first = state(1, ranker=replace(epoch(1), draw=draw))
    assert await states.commit(redis, first, 0)
    found = await states.read(redis)
    assert found is not None
    assert await states.commit(redis, replace(found, version=2), 1)
    assert await states.commit(redis, replace(first, version=3), 2)


async def test_a_key_is_made_once(redis: Redis) -> None:
    found = await asyncio.gather(*(states.signing_key(redis) for _ in range(50)))
    assert len(set(found)) == 1
    assert len(found[0]) == 32
    assert await states.signing_key(redis) == found[0]


async def test_a_given_key_is_used_and_not_kept(redis: Redis) -> None:
    assert await states.signing_key(redis, b"k" * 16) == b"k" * 16
    assert await redis.exists(keys.SIGNING_KEY) == 0
    for wrong in (b"", b"k" * 15, b"k" * 33):
        with pytest.raises(ConfigurationError, match="16 to 32"):
            await states.signing_key(redis, wrong)


async def test_a_document_that_is_no_state_is_named(redis: Redis) -> None:
    await redis.hset(keys.STATE, mapping={"version": "1", "document": b'{"version": "one"}'})
    with pytest.raises(TurnoutError, match=r"\{turnout\}:state"):
        await states.read(redis)
