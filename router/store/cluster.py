"""How does a command find the node of a Cluster that holds its keys?

`ClusterRedis` is a `Redis`: it sends each command, and each transaction, to a plain client of the node that
holds the slot of its first key. That all its keys share that slot is the key names' duty (`keys`).

redis-py's own asyncio ``RedisCluster`` is no ``Redis``; it refuses a command where ours waits for a
connection; it sends ``ASKING`` over another connection than the command it is for; and it goes on with the
map that it knows to be old when it has met the fifth ``MOVED``. What is needed here is little, so it is here.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import choice
from typing import Any, Final, TypeVar

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline, PubSub
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,
    DataError,
    MovedError,
    RedisError,
    TimeoutError,
)

T = TypeVar("T")
Place = tuple[str, int]
MakeNode = Callable[[str, int], Redis]

# A command is sent to so many nodes at most; where they agree, a second one is the last.
MOST_REDIRECTIONS: Final = 3

_SCRIPTS: Final = ("EVAL", "EVALSHA")


@dataclass(frozen=True, slots=True)
class _Range:
    """Slots from ``first`` to ``last``, and who holds them."""

    first: int
    last: int
    holder: Place


@dataclass(frozen=True, slots=True)
class _Map:
    """Who holds which slots, in order; once it is not ``current`` it is asked for before the next command.

    ``knows`` is a node that a MOVED named, and asked first; ``failed`` one that did not answer, asked last.
    """

    ranges: tuple[_Range, ...]
    current: bool
    knows: Place | None = None
    failed: Place | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        """The nodes that hold slots."""
        return tuple(dict.fromkeys(each.holder for each in self.ranges))

    def holder(self, slot: int) -> Place | None:
        """Who holds a slot."""
        place = bisect_right(self.ranges, slot, key=lambda each: each.first) - 1
        if place < 0 or slot > self.ranges[place].last:
            return None
        return self.ranges[place].holder


class ClusterRedis(Redis):
    """A client of a Cluster; ``seeds`` are some of its nodes, and ``make_node`` gives a client of one node.

    Its commands are those with a key as their first argument, EVAL and EVALSHA with one at least. Pipelines
    are transactions. What was sent and not answered is not sent again: only what a node refused, because
    another one holds the slot, is sent there.
    """

    def __init__(self, seeds: Sequence[Place], make_node: MakeNode) -> None:
        super().__init__(connection_pool=make_node(*seeds[0]).connection_pool)
        self._seeds = tuple(seeds)
        self._make_node = make_node
        self._nodes: dict[Place, Redis] = {}
        self._map = _Map((), current=False)
        self._refreshing = asyncio.Lock()

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command to the node that holds its key."""

        async def send(node: Any) -> Any:
            return await node.execute_command(*args, **options)

        async def while_moving(node: Any) -> Any:
            async with node.pipeline(transaction=False) as pipe:
                pipe.execute_command("ASKING")
                pipe.execute_command(*args, **options)
                return (await pipe.execute())[1]

        # A script's keys can be in both places while its slot moves, so it waits until they are in one.
        script = args[0] in _SCRIPTS
        return await self.send(_key_of(args), send, None if script else while_moving)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """A transaction on the node that holds its commands' keys."""
        if not transaction:
            raise ValueError("a pipeline in a Cluster must be a transaction")
        return _Transaction(self)

    def pubsub(self, **kwargs: Any) -> PubSub:
        """Notices, from any node: each passes on to all others what is published to it."""
        return self._node(choice([*self._nodes] or self._seeds)).pubsub(**kwargs)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the connections to all nodes."""
        await self._keep(())

    async def primaries(self) -> list[Redis]:
        """A client of each node that holds slots."""
        found = await self._refreshed()
        return [self._node(place) for place in found.places]

    async def send(
        self,
        key: bytes,
        ask: Callable[[Redis], Awaitable[T]],
        ask_while_moving: Callable[[Redis], Awaitable[T]] | None = None,
    ) -> T:
        """What the node that holds a key answers; it may say itself which other one does.

        ``ask_while_moving`` is for the node to which the slot is about to move; without it, `AskError`.
        """
        slot = key_slot(key)
        for _ in range(MOST_REDIRECTIONS):
            place = (await self._refreshed()).holder(slot)
            if place is None:
                self._map = replace(self._map, current=False)
                raise ClusterDownError(f"no node of the Cluster holds slot {slot}")
            try:
                return await ask(self._node(place))
            except MovedError as moved:
                self._map = replace(self._map, current=False, knows=(moved.host or place[0], moved.port))
            except AskError as moving:
                if ask_while_moving is None:
                    raise
                return await ask_while_moving(self._node((moving.host or place[0], moving.port)))
            except (ConnectionError, TimeoutError, ClusterDownError, OSError):
                self._map = replace(self._map, current=False, failed=place)
                raise
        raise ClusterDownError(f"the nodes of the Cluster do not agree on who holds slot {slot}")

    def _node(self, place: Place) -> Redis:
        if place not in self._nodes:
            self._nodes[place] = self._make_node(*place)
        return self._nodes[place]

    async def _refreshed(self) -> _Map:
        if self._map.current:
            return self._map
        async with self._refreshing:
            if not self._map.current:
                old = self._map
                first = (old.knows,) if old.knows is not None else ()
                found = await self._first_answer(
                    dict.fromkeys([*first, *old.places, *self._seeds]), old.failed
                )
                self._map = found
                await self._keep((*found.places, *self._seeds))
            return self._map

    async def _first_answer(self, places: Iterable[Place], failed: Place | None) -> _Map:
        failure: Exception | None = None
        for place in sorted(places, key=lambda each: each == failed):
            try:
                node: Any = self._node(place)
                ranges = await node.execute_command("CLUSTER SLOTS")
                return _Map(_ranges(ranges, place[0]), current=True)
            except (RedisError, OSError) as error:
                failure = error
        raise ConnectionError(f"no node of the Cluster says who holds what: {failure}") from failure

    async def _keep(self, places: Iterable[Place]) -> None:
        """Close the connections to all other nodes."""
        kept = set(places)
        gone = [self._nodes.pop(place) for place in [*self._nodes] if place not in kept]
        for node in gone:
            await node.aclose()


class _Transaction(Pipeline):
    """Commands that are kept until it is known on which node they are a transaction."""

    def __init__(self, cluster: ClusterRedis) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, True, None)
        self._cluster = cluster

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """All commands' answers."""
        commands, self.command_stack = self.command_stack, []
        if not commands:
            return []

        async def ask(node: Redis) -> list[Any]:
            async with node.pipeline(transaction=True) as pipe:
                for args, options in commands:
                    pipe.execute_command(*args, **options)
                answers: list[Any] = await pipe.execute(raise_on_error)
                return answers

        return await self._cluster.send(_key_of(commands[0][0]), ask)

    async def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """WATCH, and what follows it, is not needed here."""
        raise DataError("WATCH is not for a Cluster")


def _ranges(answer: Any, host: str) -> tuple[_Range, ...]:
    """What ``CLUSTER SLOTS`` answered; a node that does not know its own name is the ``host`` asked."""
    found = []
    for first, last, primary, *_ in answer:
        named = primary[0].decode() if isinstance(primary[0], bytes) else primary[0]
        found.append(_Range(int(first), int(last), (named or host, int(primary[1]))))
    return tuple(sorted(found, key=lambda each: each.first))


def _key_of(args: Sequence[Any]) -> bytes:
    """The first key of a command."""
    place = 3 if args[0] in _SCRIPTS else 1
    if len(args) <= place or (place == 3 and int(args[2]) == 0):
        raise DataError(f"{args[0]} has no key, so no node of the Cluster is the one to ask")
    key = args[place]
    return key if isinstance(key, bytes) else str(key).encode()
