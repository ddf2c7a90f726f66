"""Is an epoch that has ended read again as often as it may change, and no more?"""

from __future__ import annotations

from redis.asyncio import Redis

from policies.statistics.observed import Observed
from router.control.observation import Observer
from router.experiment_policy import policy_of
from router.settings import Duration, Experiment, UnitSource, Variant
from router.state import Epoch
from router.store.records import Batch, Delta, record
from router.store.states import record_epoch

BEGAN = 1_700_000_000.0
ENDED = BEGAN + 100.0
EXPERIMENT = Experiment(
    unit=(UnitSource(header="x-user-id"),),
    variants={name: Variant(backend=name, weight=50) for name in ("champion", "challenger")},
    control="champion",
    attribution=Duration(3600),
)


def seen_in_first(observed: Observed) -> int:
    return observed.epochs[0].variants["champion"].requests


async def test_an_ended_epoch_is_read_less_often_the_older_it_is_and_at_last_never(redis: Redis) -> None:
    for number, started in ((1, BEGAN), (2, ENDED)):
        weights = {"champion": 1.0, "challenger": 1.0}
        await record_epoch(
            redis, "ranker", Epoch(number=number, started=started, salt="", weights=weights, why="")
        )
    observer = Observer("ranker", EXPERIMENT, policy_of("ranker", EXPERIMENT))
    sent = 0

    async def one_more() -> int:
        nonlocal sent
        sent += 1
        delta = Delta(epoch=1, variant="champion", requests={0: 1})
        assert await record(redis, Batch(experiment="ranker", writer="w", number=sent, deltas=[delta]))
        return sent

    async def looked(after: float) -> int:
        return seen_in_first(await observer.look(redis, ENDED + after))

    for after in (1.0, 5.0, 14.0, 20.0):  # the last requests are still coming in
        await one_more()
        assert await looked(after) == sent
    await one_more()
    assert await looked(40.0) == sent - 1
    assert await looked(50.0) == sent
    assert await looked(1000.0) == sent
    await one_more()
    assert await looked(1099.0) == sent - 1  # for a tenth of its age
    assert await looked(1100.0) == sent
    await one_more()
    assert await looked(3610.0) == sent
    await one_more()
    assert await looked(3980.0) == sent  # once more after the last outcome was taken
    await one_more()
    assert await looked(1e6) == sent - 1
