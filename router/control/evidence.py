"""What is known of an experiment now: its sums in Redis, as the statistics take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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

# So many of an experiment's cells (an epoch's variants) are read at once: some ten megabytes at most.
_CELLS_AT_ONCE: Final = 16

# By bucket, in the order of `layout.ARRAYS`; what follows them there is by latency cell.
_COUNTS: Final = layout.ARRAYS[:4]
_HISTOGRAMS: Final = layout.ARRAYS[4:]


@dataclass(frozen=True, slots=True)
class _Cell:
    """One variant in one epoch, and what to ask Redis for."""

    epoch: Epoch
    variant: str


async def read_evidence(
    redis: Redis,
    name: str,
    experiment: Experiment,
    now: float,
    *,
    only: Callable[[Epoch, float | None], bool] | None = None,
    latencies: bool = True,
) -> ExperimentEvidence:
    """All of an experiment's epochs, with the sums of each variant that had requests or outcomes.

    One round trip for the epochs and one transaction for some cells at a time, so that no batch is half in a
    cell, and memory is bounded. ``now`` is unix seconds. ``only`` says, by an epoch and when it ended (None
    while it runs), which are read; without ``latencies`` the histograms are empty, and most of what there
    is to read is not read. `StoreUnavailable` when Redis does not answer.
    """
    known = await read_epochs(redis, name)
    ended = dict(zip((epoch.number for epoch in known), [e.started for e in known[1:]], strict=False))
    epochs = [each for each in known if only is None or only(each, ended.get(each.number))]
    cells = [_Cell(epoch, variant) for epoch in epochs for variant in epoch.weights]
    mature = now - experiment.attribution
    found: dict[int, dict[str, VariantEvidence]] = {epoch.number: {} for epoch in epochs}
    for first in range(0, len(cells), _CELLS_AT_ONCE):
        some = cells[first : first + _CELLS_AT_ONCE]
        with seam():
            answers = await _ask(redis, name, some, experiment.metrics, latencies)
        for cell, each in zip(some, _decoded(*answers, experiment.metrics, mature), strict=True):
            if each is not None:
                found[cell.epoch.number][cell.variant] = each

    return ExperimentEvidence(
        experiment=name,
        control=experiment.control,
        epochs=tuple(
            EpochEvidence(
                number=epoch.number,
                started=epoch.started,
                ended=ended.get(epoch.number),
                weights=epoch.weights,
                variants=found[epoch.number],
                drawn=epoch.draw if epoch.rule is None else "features",
            )
            for epoch in epochs
        ),
    )


async def _ask(
    redis: Redis, name: str, cells: Sequence[_Cell], metrics: Sequence[Metric], latencies: bool
) -> tuple[list[bytes | None], list[int], list[dict[bytes, bytes]]]:
    """All cells' arrays, then their marked positions, then their periods."""
    arrays: list[str] = []
    for cell in cells:
        place = (name, cell.epoch.number, cell.variant)
        arrays += [keys.sums(*place, what) for what in _COUNTS]
        arrays += [keys.outcomes(*place, metric.name, metric.kind, "count") for metric in metrics]
        arrays += [keys.outcomes(*place, metric.name, metric.kind, "sum") for metric in metrics]
        if latencies:
            arrays += [keys.sums(*place, what) for what in _HISTOGRAMS]
    async with redis.pipeline(transaction=True) as pipe:
        pipe.mget(arrays)
        for what, ask in (("units", pipe.bitcount), ("periods", pipe.hgetall)):
            for cell in cells:
                ask(keys.sums(name, cell.epoch.number, cell.variant, what))
        stored, *others = await pipe.execute()
    if not latencies:
        width = len(stored) // len(cells)
        stored = [
            each
            for first in range(0, len(stored), width)
            for each in (*stored[first : first + width], None, None)
        ]
    return stored, others[: len(cells)], others[len(cells) :]


def _decoded(
    stored: list[bytes | None],
    marked: list[int],
    periods: list[dict[bytes, bytes]],
    metrics: Sequence[Metric],
    mature: float,
) -> Iterator[VariantEvidence | None]:
    """Each cell's evidence from the answers to `_ask`'s questions; None where there is nothing."""
    width = len(layout.ARRAYS) + 2 * len(metrics)
    of_cells = [stored[first : first + width] for first in range(0, len(stored), width)]
    whole = len(_COUNTS) + len(metrics)
    below = whole + len(metrics)
    counts = _arrays([cell[:whole] for cell in of_cells], layout.COUNT_TYPE, np.int64, BUCKETS)
    sums = _arrays([cell[whole:below] for cell in of_cells], layout.SUM_TYPE, np.float64, BUCKETS)
    size = layout.GROUPS * CELLS
    histograms = _arrays([cell[below:] for cell in of_cells], layout.CELL_TYPE, np.int64, size)
    for place, found in enumerate(of_cells):
        if not (any(found) or marked[place] or periods[place]):
            yield None
            continue
        requests, errors, first_byte, last_byte, *outcomes = counts[place]
        units, variance = linear_count(marked[place])
        first_cells, last_cells = histograms[place].reshape(2, layout.GROUPS, CELLS)
        yield VariantEvidence(
            requests=requests,
            errors=errors,
            first_byte=first_byte * _MICROSECOND,
            last_byte=last_byte * _MICROSECOND,
            units=units,
            units_variance=variance,
            first_byte_histogram=first_cells,
            last_byte_histogram=last_cells,
            outcomes={
                metric.name: BucketSums(count, total.astype(np.int64) if metric.kind == "binary" else total)
                for metric, count, total in zip(metrics, outcomes, sums[place], strict=True)
            },
            immature_requests=_since(periods[place], mature),
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


def _arrays(
    stored: Sequence[Sequence[bytes | None]], kind: str, own: type[np.generic], size: int
) -> NDArray[Any]:
    """Strings as arrays of ``size`` in the ``own`` type: what lies beyond a string's end is zero."""
    found = np.zeros((len(stored), len(stored[0]), size), own)
    for row, strings in zip(found, stored, strict=True):
        for array, each in zip(row, strings, strict=True):
            if each:
                values = np.frombuffer(each, kind)
                array[: len(values)] = values
    return found


def _since(periods: Mapping[bytes, bytes], mature: float) -> int:
    """Requests of the periods that had not ended by ``mature`` (unix seconds)."""
    return sum(int(count) for ending, count in periods.items() if int(ending) > mature)
