"""Does the service go on by itself while slots of a Cluster move, and after a node of it is lost?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import DataError

from router.errors import StoreUnavailable
from router.store import keys, states
from router.store.client import connect, seam
from router.store.embedded import find_server
from router.store.outcomes import Outcome, add
from tests.router.store.fixtures import primaries
from tests.router.store.made import batch, counted, state, until_answered
from tests.router.store.servers import until
from tests.router.store.topologies import Cluster, agrees, clustered, identity, server

STATE_SLOT = key_slot(keys.STATE.encode())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with clustered(find_server(), tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
async def redis(cluster: Cluster) -> AsyncIterator[Redis]:
    client = connect(f"{cluster.url}?socket_timeout=2&socket_connect_timeout=10")
    for node in await primaries(client):
        await node.flushall()
    yield client
    await client.aclose()


def test_what_is_done_together_is_kept_together() -> None:
    """One slot for the service's own, another for an experiment's sums."""
    own = [
        *(keys.STATE, keys.NOTICE, keys.SIGNING_KEY, keys.VERSIONS, keys.VERSIONS_BY_HAND),
        *(keys.VERSIONS_AUTOMATIC, keys.AUDIT, keys.AUDIT_STRANGERS, keys.TOKENS, keys.WORKERS),
        *(keys.LEASE, keys.FENCE, keys.worker("w"), keys.epochs("ranker"), keys.epochs("other")),
    ]
    assert {key_slot(name.encode()) for name in own} == {STATE_SLOT}
    sums = [
        keys.writer("ranker", "w").encode(),
        keys.sums("ranker", 1, "champion", "units").encode(),
        keys.outcomes("ranker", 2, "other", "clicks", "binary", "sum").encode(),
        keys.folded("ranker", 2, "other").encode(),
        keys.dedupe("ranker", bytes(range(16))),
        keys.dedupe("ranker", b"}{}{}{}{}{}{}{}{"),
    ]
    assert {key_slot(name) for name in sums} == {key_slot(b"ranker")}
    assert key_slot(b"ranker") != STATE_SLOT


async def test_batches_count_once_while_their_slot_moves_amid_them(cluster: Cluster, redis: Redis) -> None:
    slot = key_slot(b"ranker")
    for number in range(300):
        if number % 60 == 30:
            source = cluster.holder(slot)
            target = next(each for each in cluster.servers if each is not source)
            moving = asyncio.create_task(asyncio.to_thread(cluster.move, slot, source, target))
        await until_answered(redis, batch(number))
        if number % 60 == 50:
            await moving
            assert cluster.holder(slot) is target
    assert await counted(redis) == [1] * 300


async def test_while_a_slot_moves_the_state_is_read_and_scripts_wait(cluster: Cluster, redis: Redis) -> None:
    assert await states.commit(redis, state(1), 0)
    source = cluster.holder(STATE_SLOT)
    target = next(each for each in cluster.servers if each is not source)
    target.ask("CLUSTER", "SETSLOT", STATE_SLOT, "IMPORTING", identity(source))
    source.ask("CLUSTER", "SETSLOT", STATE_SLOT, "MIGRATING", identity(target))
    await asyncio.to_thread(cluster.carry, STATE_SLOT, source, target)

    versions = await asyncio.gather(*(states.version(redis) for _ in range(40)))
    assert versions == [1] * 40
    with pytest.raises(StoreUnavailable):
        await states.commit(redis, state(2), 1)

    for each in (target, source, *cluster.servers):
        each.ask("CLUSTER", "SETSLOT", STATE_SLOT, "NODE", identity(target))
    assert await states.commit(redis, state(2), 1)
    assert await states.version(redis) == 2


async def test_a_replica_takes_over(tmp_path: Path) -> None:
    with clustered(find_server(), tmp_path) as cluster:
        slot = key_slot(b"ranker")
        holder = cluster.holder(slot)
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", 1000)
        replica = server(find_server(), tmp_path / "replica", *options)
        replica.start()
        redis = connect(f"{cluster.url}?socket_timeout=2&socket_connect_timeout=10")
        try:
            replica.ask("CLUSTER", "MEET", "127.0.0.1", holder.port)
            name = identity(holder)
            await asyncio.to_thread(until, lambda: name in replica.ask("CLUSTER", "NODES").decode())
            replica.ask("CLUSTER", "REPLICATE", name)
            await asyncio.to_thread(until, lambda: replica.ask("ROLE")[3] == b"connected")
            everyone = [*cluster.servers, replica]
            await asyncio.to_thread(until, lambda: all(agrees(each, 4) for each in everyone))
            others = [each for each in cluster.servers if each is not holder]
            await asyncio.to_thread(
                until, lambda: all(each.ask("CLUSTER", "REPLICAS", name) for each in others)
            )

            for number in range(100):
                await until_answered(redis, batch(number))
            await asyncio.to_thread(until, lambda: holder.ask("WAIT", 1, 1000) == 1)
            holder.kill()
            assert await until_answered(redis, batch(100))
            for number in range(101, 150):
                await until_answered(redis, batch(number))
            assert await counted(redis) == [1] * 150
        finally:
            await redis.aclose()
            replica.kill()


async def test_outcomes_of_experiments_on_all_nodes_are_counted_at_once(
    cluster: Cluster, redis: Redis
) -> None:
    names = [f"experiment-{number}" for number in range(30)]
    assert len({cluster.holder(key_slot(name.encode())).port for name in names}) == 3
    given = [
        Outcome(
            experiment=name,
            epoch=1,
            variant="champion",
            bucket=number,
            dedupe=number.to_bytes(16),
            metric="clicks",
            kind="binary",
            value=1.0,
            ttl_seconds=60,
        )
        for number in range(10)
        for name in names
    ]
    assert await add(redis, given) == [True] * 300
    assert await add(redis, given) == [False] * 300


async def test_more_callers_than_connections_wait_their_turn(redis: Redis) -> None:
    assert await states.commit(redis, state(1), 0)
    assert await asyncio.gather(*(states.version(redis) for _ in range(500))) == [1] * 500


async def test_what_has_no_place_in_a_cluster_is_refused(redis: Redis) -> None:
    for command in (("FLUSHALL",), ("EVAL", "return 1", 0), ("PING",)):
        with pytest.raises(DataError, match="has no key"):
            await redis.execute_command(*command)
    with pytest.raises(ValueError, match="must be a transaction"):
        redis.pipeline(transaction=False)
    with pytest.raises(DataError, match="WATCH"):
        async with redis.pipeline() as pipe:
            await pipe.watch("key")


async def test_a_transaction_of_several_slots_does_nothing(redis: Redis) -> None:
    names = [f"key-{number}" for number in range(20)]
    async with redis.pipeline() as pipe:
        for name in names:
            pipe.set(name, 1)
        with pytest.raises(StoreUnavailable), seam():
            await pipe.execute()
    assert [await redis.get(name) for name in names] == [None] * 20


async def test_nobody_there_is_the_stores_error() -> None:
    redis = connect("redis+cluster://127.0.0.1:1,127.0.0.1:2")
    with pytest.raises(StoreUnavailable, match="no node of the Cluster"):
        await states.version(redis)
    await redis.aclose()
