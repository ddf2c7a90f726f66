"""What is known of an experiment now: its sums in Redis, as the statistics take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import expm1, log
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from redis.asyncio import Redis

from policies.assignment import BUCKETS, POSITIONS
from policies.latency_cells import CELLS
from policies.statistics.evidence import BucketSums, EpochEvidence, ExperimentEvidence, VariantEvidence
from router.settings import Experiment, Metric
from router.state import Epoch
from router.store import keys, layout
from router.store.client import seam
from router.store.states import read_epochs

_MICROSECOND: Final = 1e-6

Array = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Cell:
    """One variant in one epoch, and what to ask Redis for."""

    epoch: Epoch
    variant: str


async def read_evidence(redis: Redis, name: str, experiment: Experiment, now: float) -> ExperimentEvidence:
    """All of an experiment's epochs, with the sums of each variant that had requests or outcomes.

    One round trip for the epochs and one transaction for all sums, so that no batch is half in them. ``now``
    is unix seconds. `StoreUnavailable` when Redis does not answer.
    """
    epochs = await read_epochs(redis, name)
    cells = [_Cell(epoch, variant) for epoch in epochs for variant in epoch.weights]
    width = len(layout.ARRAYS) + len(layout.OTHERS[:2]) + 2 * len(experiment.metrics)
    with seam():
        async with redis.pipeline(transaction=True) as pipe:
            for cell in cells:
                _ask(pipe, name, cell, experiment.metrics)
            replies: list[Any] = await pipe.execute()

    mature = now - experiment.attribution
    found: dict[int, dict[str, VariantEvidence]] = {epoch.number: {} for epoch in epochs}
    for place, cell in enumerate(cells):
        answers = replies[place * width : (place + 1) * width]
        if any(answers):
            found[cell.epoch.number][cell.variant] = _variant(answers, experiment.metrics, mature)
    ends = [later.started for later in epochs[1:]]
    return ExperimentEvidence(
        experiment=name,
        control=experiment.control,
        epochs=tuple(
            EpochEvidence(epoch.number, epoch.started, ended, epoch.weights, found[epoch.number])
            for epoch, ended in zip(epochs, [*ends, None], strict=False)
        ),
    )


def _ask(pipe: Any, name: str, cell: _Cell, metrics: Sequence[Metric]) -> None:
    """Queue one cell's reads: the arrays, the bitmap's count, the minutes, then count and sum by metric."""
    number, variant = cell.epoch.number, cell.variant
    for what in layout.ARRAYS:
        pipe.get(keys.sums(name, number, variant, what))
    pipe.bitcount(keys.sums(name, number, variant, "units"))
    pipe.hgetall(keys.sums(name, number, variant, "minutes"))
    for metric in metrics:
        for what in ("count", "sum"):
            pipe.get(keys.outcomes(name, number, variant, metric.name, metric.kind, what))


def _variant(answers: Sequence[Any], metrics: Sequence[Metric], mature: float) -> VariantEvidence:
    """One variant's evidence from the answers to `_ask`'s questions."""
    requests, errors, first_byte, last_byte, first_cells, last_cells, marked, minutes = answers[:8]
    units, variance = linear_count(int(marked))
    return VariantEvidence(
        requests=_counts(requests),
        errors=_counts(errors),
        first_byte=_seconds(first_byte),
        last_byte=_seconds(last_byte),
        units=units,
        units_variance=variance,
        first_byte_histogram=_histogram(first_cells),
        last_byte_histogram=_histogram(last_cells),
        outcomes={
            metric.name: _outcomes(metric, answers[8 + 2 * place], answers[9 + 2 * place])
            for place, metric in enumerate(metrics)
        },
        immature_requests=_since(minutes, mature),
    )


def linear_count(marked: int) -> tuple[float, float]:
    """How many distinct units marked this many of the bitmap's positions, and that count's variance.

    With M positions of which X are marked the estimate is n = M ln(M / (M - X)), and its variance given the
    true count is M (e^t - t - 1), t = n/M (Whang, Vander-Zanden & Taylor 1990). A sketch's error grows in
    proportion to the count and soon exceeds the split's own; this one stays far below it, a standard error of
    70 at 100,000 units, and it is known, so that the sample ratio check allows for it. A full bitmap counts
    as one with a single position left.

    >>> [round(number) for number in linear_count(95_380)]
    [100000, 4924]
    """
    load = log(POSITIONS / max(POSITIONS - marked, 1))
    return POSITIONS * load, POSITIONS * (expm1(load) - load)


def _counts(stored: bytes | None) -> NDArray[np.int64]:
    return _array(stored, layout.COUNT_TYPE, BUCKETS).astype(np.int64)


def _seconds(stored: bytes | None) -> NDArray[np.float64]:
    return np.multiply(_counts(stored), _MICROSECOND, dtype=np.float64)


def _histogram(stored: bytes | None) -> NDArray[np.int64]:
    return (
        _array(stored, layout.CELL_TYPE, layout.GROUPS * CELLS).astype(np.int64).reshape(layout.GROUPS, CELLS)
    )


def _outcomes(metric: Metric, count: bytes | None, total: bytes | None) -> BucketSums:
    """A metric's sums; those of a binary one are whole numbers and become integers."""
    sums: Array = _array(total, layout.SUM_TYPE, BUCKETS).astype(np.float64)
    if metric.kind == "binary":
        sums = sums.astype(np.int64)
    return BucketSums(denominator=_counts(count), numerator=sums)


def _array(stored: bytes | None, kind: str, size: int) -> NDArray[Any]:
    """A stored string as an array of ``size``: what lies beyond its end is zero."""
    given = np.frombuffer(stored or b"", dtype=kind)
    whole = np.zeros(size, dtype=kind)
    whole[: given.size] = given
    return whole


def _since(minutes: Mapping[bytes, bytes], mature: float) -> int:
    """Requests of the minutes that had not ended by ``mature`` (unix seconds)."""
    return sum(int(count) for minute, count in minutes.items() if (int(minute) + 1) * 60 > mature)
