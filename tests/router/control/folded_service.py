"""An experiment of some epochs over a real Redis, and one who folds those that have ended."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from msgspec.structs import replace
from redis.asyncio import Redis

from policies.statistics.observed import to_json
from router.control.folding import Folder
from router.control.leadership import Leadership
from router.control.observation import Observer
from router.control.reports import report_of
from router.experiment_policy import policy_of
from router.settings import Backend, Duration, Experiment, Metric, Settings, UnitSource, Variant
from router.state import Epoch, State
from router.store import keys, states
from router.store.layout import histogram_index, period_end
from router.store.outcomes import Outcome, add
from router.store.records import Batch, Delta, record
from router.store.states import commit, record_epoch

BEGAN = 1_700_000_000.0
LASTS = 600.0
WINDOW = 3600.0
VARIANTS = ("champion", "challenger")
EXPERIMENT = Experiment(
    unit=(UnitSource(header="x-user-id"),),
    variants={name: Variant(backend=name, weight=50) for name in VARIANTS},
    control="champion",
    metrics=(Metric(name="correct", kind="binary"), Metric(name="revenue", kind="mean", cap=20)),
    attribution=Duration(WINDOW),
)


def epoch(number: int) -> Epoch:
    weights = dict.fromkeys(VARIANTS, 1.0 + number)
    return Epoch(number=number, started=BEGAN + LASTS * (number - 1), salt="s", weights=weights, why="")


class Service:
    """An experiment of some epochs, the last of which runs, and one who folds what has ended."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.now = BEGAN
        self.leadership = Leadership(redis, 30.0)
        self.folder = Folder(redis, self.leadership, lambda: self.now)
        self.epochs = 0
        self._sent = 0
        self._random = Random(5)

    async def begin(self, epochs: int, **changes: Any) -> None:
        """Commit a state whose last epoch is this one, and lead."""
        settings = Settings(
            backends={name: Backend(url="http://127.0.0.1:1") for name in VARIANTS},
            routes=(),
            experiments={"ranker": EXPERIMENT},
        )
        for number in range(self.epochs + 1, epochs):
            await record_epoch(self.redis, "ranker", epoch(number))
        version = await states.version(self.redis)
        state = State(version=version + 1, settings=settings, epochs={"ranker": epoch(epochs)}, key=b"k" * 32)
        assert await commit(self.redis, replace(state, **changes), version)
        self.epochs, self.now = epochs, epoch(epochs).started
        await self.leadership.ask()

    async def traffic(self, number: int, units: int = 40) -> None:
        """Requests and outcomes in one epoch."""
        drawn = self._random
        deltas, outcomes = [], []
        for variant in VARIANTS:
            places = [drawn.getrandbits(64) for _ in range(units)]
            buckets = {place % 1024: 1 + place % 3 for place in places}
            delta = Delta(
                epoch=number,
                variant=variant,
                requests=buckets,
                errors={place % 1024: 1 for place in places if place % 5 == 0},
                first_byte={bucket: 1000 * count for bucket, count in buckets.items()},
                last_byte={bucket: 2000 * count + bucket for bucket, count in buckets.items()},
                first_cells={histogram_index(bucket, bucket % 300): 1 for bucket in buckets},
                last_cells={histogram_index(bucket, bucket % 400): 1 for bucket in buckets},
                positions=[place >> 44 for place in places],
                periods={period_end(epoch(number).started + 5.0, WINDOW): sum(buckets.values())},
                fallbacks=3,
            )
            deltas.append(delta)
            for place in places:
                for metric, kind, value in (
                    ("correct", "binary", place % 2),
                    ("revenue", "mean", place % 27),
                ):
                    outcomes.append(self._outcome(number, variant, place % 1024, metric, kind, value))
        self._sent += 1
        await record(self.redis, Batch(experiment="ranker", writer="w", number=self._sent, deltas=deltas))
        await add(self.redis, outcomes)

    def _outcome(
        self, number: int, variant: str, bucket: int, metric: str, kind: Any, value: float
    ) -> Outcome:
        return Outcome(
            experiment="ranker",
            epoch=number,
            variant=variant,
            bucket=bucket,
            dedupe=self._random.randbytes(16),
            metric=metric,
            kind=kind,
            value=float(min(value, 20)) + 0.1 * (kind == "mean"),
            ttl_seconds=7200,
            capped=value > 20 if kind == "mean" else None,
        )

    async def shown(self) -> str:
        """The report, and what a policy sees."""
        state = await states.read(self.redis)
        assert state is not None
        observer = Observer("ranker", EXPERIMENT, policy_of("ranker", EXPERIMENT))
        observed = await observer.look(self.redis, self.now)
        return json.dumps([await report_of(self.redis, state, "ranker", self.now), to_json(observed)])

    async def folded(self) -> set[int]:
        """The epochs of which every variant is folded, and nothing beside it."""
        found = set()
        for number in range(1, self.epochs + 1):
            names = [keys.sums("ranker", number, each, "requests") for each in VARIANTS]
            done = [keys.folded("ranker", number, each) for each in VARIANTS]
            if await self.redis.exists(*done) == len(done) and not await self.redis.exists(*names):
                found.add(number)
        return found
