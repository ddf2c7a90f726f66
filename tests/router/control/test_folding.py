"""Are ended epochs folded by the one who leads, a few at a time, and does nobody see a difference?"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from router.control.folding import Folder
from router.control.leadership import Leadership
from router.errors import StoreUnavailable
from router.state import Ending
from router.store import keys
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from router.store.records import Batch, Delta, record
from router.store.states import commit
from tests.router.control.folded_service import BEGAN, LASTS, WINDOW, Service, epoch
from tests.router.control.stage import CONFIGURATION, applied
from tests.router.control.test_two_planners import Control


@pytest.fixture
def service(redis: Redis) -> Service:
    return Service(redis)


async def test_report_and_plan_are_the_same_byte_for_byte(service: Service) -> None:
    await service.begin(4)
    for number in range(1, 5):
        await service.traffic(number)
    before = await service.shown()
    assert '"capped": [{"metric": "revenue", "count": 0}]' not in before
    assert '"fallback_share": 0.0' in before
    service.now += 61.0
    while await service.folder.tick():
        pass
    service.now -= 61.0
    assert await service.folded() == {1, 2, 3}
    assert await service.shown() == before


async def test_late_outcomes_of_a_folded_epoch_count_as_ever(redis: Redis) -> None:
    """Of two that are given the same, one folds and the other one does not."""
    shown = []
    for folds in (True, False):
        await redis.flushall()
        service = Service(redis)
        await service.begin(2)
        await service.traffic(1)
        for after in (61.0, 500.0, 3599.0, 3700.0, 90_000.0):
            service.now = epoch(2).started + after
            if folds:
                await service.folder.tick()
                assert await service.folded() == {1}
            await service.traffic(1, units=3)
        shown.append(await service.shown())
    assert shown[0] == shown[1]


async def test_an_epoch_is_left_alone_until_a_while_after_its_end(service: Service) -> None:
    await service.begin(2)
    for number in (1, 2):
        await service.traffic(number)
    service.now += 59.0
    await service.folder.tick()
    assert await service.folded() == set()
    service.now += 2.0
    await service.folder.tick()
    assert await service.folded() == {1}


async def test_what_came_since_is_folded_less_often_the_older_the_epoch_is(service: Service) -> None:
    await service.begin(2)
    end = service.now
    await service.traffic(1)
    for after, whole in ((60.0, True), (119.0, False), (120.0, True), (1000.0, True), (1090.0, False)):
        await service.traffic(1)
        service.now = end + after
        await service.folder.tick()
        assert (await service.folded() == {1}) == whole, after
    service.now = end + 1100.0
    await service.folder.tick()
    assert await service.folded() == {1}


async def test_many_epochs_are_folded_a_few_at_a_time(service: Service) -> None:
    await service.begin(12)
    for number in range(1, 12):
        await service.traffic(number, units=5)
    service.now += 1000.0
    sizes = []
    more = True
    while more:
        more = await service.folder.tick()
        sizes.append(len(await service.folded()))
    assert sizes == [4, 8, 11]


async def test_who_does_not_lead_folds_nothing(service: Service) -> None:
    await service.begin(3)
    await service.traffic(1)
    service.now += 100.0
    other = Folder(service.redis, Leadership(service.redis, 30.0), lambda: service.now)
    assert await other.tick() is False
    assert await service.folded() == set()
    service.leadership.lost()
    assert await service.folder.tick() is False
    assert await service.folded() == set()


async def test_two_who_both_believe_to_lead_lose_nothing(service: Service) -> None:
    await service.begin(6)
    for number in range(1, 6):
        await service.traffic(number)
    before = await service.shown()
    folders = [Folder(service.redis, service.leadership, lambda: BEGAN + 1e5) for _ in range(3)]
    while any(await asyncio.gather(*(each.tick() for each in folders))):
        pass
    assert await service.folded() == {1, 2, 3, 4, 5}
    assert await service.shown() == before


async def test_the_epoch_of_an_experiment_that_was_ended_is_folded_too(service: Service) -> None:
    await service.begin(2)
    await service.traffic(2)
    end = service.now
    await service.begin(2, endings={"ranker": Ending(at=end)})
    service.now = end + 61.0
    before = await service.shown()
    await service.folder.tick()
    assert 2 in await service.folded()
    assert await service.shown() == before


async def test_the_units_of_a_large_epoch_are_kept_until_no_outcome_is_accepted(service: Service) -> None:
    await service.begin(2)
    await service.traffic(1, units=20_000)
    document = keys.folded("ranker", 1, "champion")
    end, sizes, before = service.now, [], await service.shown()
    for after in (61.0, WINDOW, WINDOW + 61.0):
        service.now = end + after
        await service.folder.tick()
        sizes.append(await service.redis.strlen(document))
        service.now = end
        assert await service.shown() == before
    assert sizes[0] == sizes[1] > sizes[2] + 16_384


async def test_one_epoch_that_cannot_be_read_does_not_hold_up_the_others(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    await service.begin(3)
    for number in (1, 2):
        await service.traffic(number)
    await service.redis.set(keys.folded("ranker", 1, "champion"), b"spoilt")
    service.now += 100.0
    with caplog.at_level(logging.ERROR, "turnout.control"):
        await service.folder.tick()
    assert await service.folded() == {2}
    (said,) = [each.getMessage() for each in caplog.records]
    assert said.startswith("fold_failed experiment=ranker epoch=1 variant=champion")
    assert "cannot be read" in said


async def test_a_state_that_cannot_be_read_is_said_once_and_does_not_end_it(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.begin(2)
    await service.traffic(1)
    service.now += 100.0
    document = await service.redis.hget(keys.STATE, "document")
    await service.redis.hset(keys.STATE, "document", "spoilt")
    monkeypatch.setattr("router.control.folding.TICK_SECONDS", 0.01)
    with caplog.at_level(logging.ERROR, "turnout.control"):
        folding = asyncio.ensure_future(service.folder.keep())
        async with asyncio.timeout(10):
            while not caplog.records:
                await asyncio.sleep(0.005)
            await service.redis.hset(keys.STATE, "document", document)
            while await service.folded() != {1}:
                await asyncio.sleep(0.005)
        folding.cancel()
        await asyncio.wait([folding])
    (said,) = [each.getMessage() for each in caplog.records]
    assert said.startswith("fold_failed detail=")


async def test_what_an_outage_prevented_is_done_when_it_is_over(binary: Path, tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path, binary)
    server.start()
    redis = connect(server.url)
    try:
        service = Service(redis)
        await service.begin(2)
        await service.traffic(1)
        service.now += 100.0
        server.stop()
        with pytest.raises(StoreUnavailable):
            await service.folder.tick()
        server.start()
        await service.folder.tick()
        assert await service.folded() == {1}
    finally:
        await redis.aclose()
        server.stop()


async def test_a_control_process_folds_by_itself(server: EmbeddedRedis, redis: Redis, tmp_path: Path) -> None:
    state = await applied(redis, tmp_path / "first", CONFIGURATION, now=BEGAN)
    assert state is not None
    first = state.epochs["ranker"]
    following = replace(first, number=first.number + 1, started=BEGAN + LASTS, weights={**first.weights})
    assert await commit(
        redis, replace(state, version=state.version + 1, epochs={"ranker": following}), state.version
    )
    delta = Delta(epoch=first.number, variant="champion", requests={1: 1}, positions=[1])
    await record(redis, Batch(experiment="ranker", writer="w", number=1, deltas=[delta]))

    control = Control(tmp_path / "control", server.url)
    try:
        document = keys.folded("ranker", first.number, "champion")
        async with asyncio.timeout(30):
            while not await redis.exists(document):
                await asyncio.sleep(0.05)
    finally:
        await asyncio.to_thread(control.stop)
