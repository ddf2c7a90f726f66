"""Are the report's numbers among the gauges, of decided metrics and of undecided ones?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from redis.asyncio import Redis

from router.cancelling import end_all
from router.control.metrics_of_reports import ReportBook, keep_computing, report_families
from router.control.reports import report_of
from router.settings import Backend, Experiment, Metric, Settings, UnitSource, Variant
from router.state import Epoch, State
from router.store import keys
from router.store.states import record_epoch
from tests.router.control.posting import post
from tests.router.control.stage import CONFIGURATION, applied

NOW = 1_700_000_000.0
DAY = 86_400.0
VARIANTS = ("champion", "challenger")
UNITS = 2048
LIFTS = {"decided": 1.0, "undecided": 0.05}


async def book_of(redis: Redis) -> ReportBook:
    """A book with the report, after a day, of two metrics of deviation 1 whose means differ by `LIFTS`."""
    experiment = Experiment(
        unit=(UnitSource(header="x-user-id"),),
        variants={name: Variant(backend=name, weight=1) for name in VARIANTS},
        control="champion",
        metrics=tuple(Metric(name=name, kind="mean") for name in LIFTS),
        attribution=60,
    )
    settings = Settings(
        backends={name: Backend(url="http://127.0.0.1:1") for name in VARIANTS},
        routes=(),
        experiments={"ranker": experiment},
    )
    state = State(version=1, settings=settings, epochs={}, key=b"k" * 32)
    rng = np.random.default_rng(5)
    weights = dict.fromkeys(VARIANTS, 1.0)
    await record_epoch(redis, "ranker", Epoch(number=1, started=NOW, salt="s", weights=weights, why=""))
    values: dict[str, dict[str, NDArray[np.float64]]] = {variant: {} for variant in VARIANTS}
    for v, variant in enumerate(VARIANTS):
        for metric, lift in LIFTS.items():
            noise = rng.normal(0.0, 1.0, UNITS)
            values[variant][metric] = noise + 10.0 + v * lift - noise.mean()
    await post(redis, values)
    book = ReportBook()
    book.reports = {"ranker": await report_of(redis, state, "ranker", NOW + DAY)}
    return book


async def test_probability_best_and_time_left_of_declared_metrics_are_gauges(redis: Redis) -> None:
    book = await book_of(redis)
    found = {
        family.name: {sample.labels["metric"]: sample.value for sample in family.samples}
        for family in report_families(book)
        if family.name
        in ("turnout_effect_best_ratio", "turnout_effect_left_seconds", "turnout_effect_decision")
    }
    assert found["turnout_effect_decision"]["decided"] == 1.0
    assert "undecided" not in found["turnout_effect_decision"]
    best, left = found["turnout_effect_best_ratio"], found["turnout_effect_left_seconds"]
    assert best.keys() == set(LIFTS)
    assert best["decided"] > 0.999
    assert 0.8 < best["undecided"] < 0.999
    assert left["decided"] == 0.0
    # 4096 units a day at a standard error of 0.03: z of 0.05 is 1.6 where some 4 is needed, so six days more.
    assert 2.0 * DAY < left["undecided"] < 10.0 * DAY


async def test_the_control_s_probability_is_in_the_report(redis: Redis) -> None:
    (report,) = (await book_of(redis)).reports.values()
    for metric in LIFTS:
        chances = [
            row["probability_best"]
            for variant in report["variants"]
            for row in variant["metrics"]
            if row["metric"] == metric
        ]
        assert len(chances) == 2
        assert abs(sum(chances) - 1.0) < 1e-12


async def test_one_report_that_cannot_be_made_does_not_hold_up_the_others(
    redis: Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ranker = CONFIGURATION["experiments"]["ranker"]
    experiments = {"broken": ranker, "ranker": ranker}
    await applied(redis, tmp_path, {**CONFIGURATION, "experiments": experiments}, NOW)
    await redis.set(keys.folded("broken", 1, "champion"), b"no document")
    book = ReportBook()
    computing = asyncio.create_task(keep_computing(redis, book, lambda: NOW))
    while book.seconds is None:
        await asyncio.sleep(0.01)
    await end_all([computing])
    assert book.reports.keys() == {"ranker"}
    (said,) = [each.getMessage() for each in caplog.records if "statistics_failed" in each.getMessage()]
    assert "broken" in said
    assert "cannot be read" in said
