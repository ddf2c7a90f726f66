"""What is known of an experiment now: its sums in Redis, as the statistics take them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from router.store import layout
from router.store.cells import Cell, Place, read_cells
from router.store.states import read_epochs

_MICROSECOND: Final = 1e-6

# So many of an experiment's cells (an epoch's variants) are read at once: some ten megabytes at most.
_CELLS_AT_ONCE: Final = 16

_FALLBACKS: Final = "fallbacks"


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
    places = [Place(name, epoch.number, variant) for epoch in epochs for variant in epoch.weights]
    mature = now - experiment.attribution
    types = types_of(experiment.metrics)
    arrays = [name for name, kind in types.items() if latencies or kind != layout.CELL_TYPE]
    counters = [_FALLBACKS, *(_capped(each) for each in experiment.metrics if each.cap is not None)]
    found: dict[int, dict[str, VariantEvidence]] = {epoch.number: {} for epoch in epochs}
    for first in range(0, len(places), _CELLS_AT_ONCE):
        some = places[first : first + _CELLS_AT_ONCE]
        cells = await read_cells(redis, some, arrays, counters)
        for place, each in zip(some, _decoded(cells, experiment.metrics, mature), strict=True):
            if each is not None:
                found[place.epoch][place.variant] = each

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


def types_of(metrics: Iterable[Metric]) -> dict[str, str]:
    """The arrays that an experiment with these metrics has, and their types."""
    return layout.array_types((each.name, each.kind) for each in metrics)


def _decoded(
    cells: Sequence[Cell], metrics: Sequence[Metric], mature: float
) -> Iterator[VariantEvidence | None]:
    """Each cell's evidence; None where there is nothing."""
    types = types_of(metrics)
    counts = _arrays(cells, types, layout.COUNT_TYPE, np.int64, BUCKETS)
    sums = _arrays(cells, types, layout.SUM_TYPE, np.float64, BUCKETS)
    histograms = _arrays(cells, types, layout.CELL_TYPE, np.int64, layout.GROUPS * CELLS)
    # A binary metric's sums are whole numbers, and kept as such.
    totals = [
        array.astype(np.int64) if metric.kind == "binary" else array
        for metric, array in zip(metrics, sums, strict=True)
    ]
    first_byte, last_byte = counts[2:4] * _MICROSECOND
    for place, cell in enumerate(cells):
        if cell.empty:
            yield None
            continue
        units, variance = linear_count(cell.marked)
        first_cells, last_cells = histograms[:, place].reshape(2, layout.GROUPS, CELLS)
        capped = {each.name: cell.counters.get(_capped(each)) for each in metrics}
        yield VariantEvidence(
            requests=counts[0, place],
            errors=counts[1, place],
            first_byte=first_byte[place],
            last_byte=last_byte[place],
            units=units,
            units_variance=variance,
            first_byte_histogram=first_cells,
            last_byte_histogram=last_cells,
            outcomes={
                metric.name: BucketSums(count[place], total[place])
                for metric, count, total in zip(metrics, counts[4:], totals, strict=True)
            },
            immature_requests=sum(count for ending, count in cell.periods.items() if ending > mature),
            fallback_requests=cell.counters.get(_FALLBACKS),
            capped={name: count for name, count in capped.items() if count is not None},
        )


def _capped(metric: Metric) -> str:
    return layout.outcome_name(metric.name, metric.kind, "capped")


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
    cells: Sequence[Cell], types: Mapping[str, str], kind: str, own: type[np.generic], size: int
) -> NDArray[Any]:
    """The arrays of one ``kind``, (arrays, cells, size) in the ``own`` type.

    An array's cells lie side by side, as they are used: elsewhere, reading them would take most of a report.
    """
    names = [name for name, each in types.items() if each == kind]
    found = np.zeros((len(names), len(cells), size), own)
    for column, cell in zip(found.swapaxes(0, 1), cells, strict=True):
        for array, name in zip(column, names, strict=True):
            for part, (gaps, numbers) in enumerate(cell.parts(name)):
                values = np.frombuffer(numbers, kind)
                places = np.frombuffer(gaps, layout.GAP_TYPE).cumsum() if gaps else slice(len(values))
                array[places] = array[places] + values if part else values
    return found
