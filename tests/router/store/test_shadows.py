"""Do a shadow's sums reach Redis once, and come back as they were?"""

from __future__ import annotations

import json
from typing import Any

from redis.asyncio import Redis

from router.store import keys
from router.store.shadows import EXAMPLES_KEPT, NAMES, ShadowBatch, add, read, read_examples


def batch(number: int, generation: str = "g1", writer: str = "w", **what: Any) -> ShadowBatch:
    given: dict[str, Any] = {"sums": {"candidate.pairs": {7: 2}}, "examples": []} | what
    return ShadowBatch(shadow="next", generation=generation, writer=writer, number=number, **given)


async def test_a_batch_sent_again_counts_once(redis: Redis) -> None:
    assert await add(redis, batch(1)) is True
    assert await add(redis, batch(1)) is False
    assert await add(redis, batch(2)) is True
    assert (await read(redis, "next", "g1")).candidate.pairs[7] == 4


async def test_each_writer_and_each_generation_counts_for_itself(redis: Redis) -> None:
    for writer in "ab":
        assert await add(redis, batch(1, writer=writer))
    assert await add(redis, batch(1, generation="g2", writer="a"))
    assert sum((await read(redis, "next", "g1")).candidate.pairs) == 4
    assert sum((await read(redis, "next", "g2")).candidate.pairs) == 2


async def test_every_sum_comes_back_by_bucket(redis: Redis) -> None:
    sums = {name: {place: 1000 + place, 1023 - place: -5_000_000} for place, name in enumerate(NAMES)}
    assert await add(redis, batch(1, sums=sums))
    found = await read(redis, "next", "g1")
    everything: list[Any] = [
        *(getattr(found.candidate, name) for name in found.candidate.__dataclass_fields__),
        *(getattr(found.noise, name) for name in found.noise.__dataclass_fields__),
        *(found.both, found.candidate_only, found.noise_only),
    ]
    for place, (name, numbers) in enumerate(zip(NAMES, everything, strict=True)):
        scale = 1_000_000 if name.endswith(("overlap", "seconds")) else 1
        assert numbers[place] == (1000 + place) / scale
        assert numbers[1023 - place] == -5_000_000 / scale
        assert sum(map(bool, numbers)) == 2


async def test_nothing_is_zeros(redis: Redis) -> None:
    found = await read(redis, "other", "g")
    assert set(found.candidate.pairs) == {0}
    assert len(found.both) == 1024
    assert await read_examples(redis, "other", "g", 5) == []


async def test_the_newest_examples_are_kept(redis: Redis) -> None:
    for number in range(1, EXAMPLES_KEPT + 20):
        await add(redis, batch(number, examples=[json.dumps({"at": number})]))
    kept = await read_examples(redis, "next", "g1", 1000)
    assert len(kept) == EXAMPLES_KEPT
    assert [each["at"] for each in kept[:2]] == [EXAMPLES_KEPT + 19, EXAMPLES_KEPT + 18]


async def test_what_nobody_adds_to_goes_away(redis: Redis) -> None:
    await add(redis, batch(1, examples=["{}"]))
    for what in ("candidate.pairs", "examples"):
        assert 0 < await redis.ttl(keys.shadow_sums("next", "g1", what)) <= 30 * 86400
