"""What does a small experiment look like, as evidence and in a report? For the docstrings' examples."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.latency_cells import CELLS
from policies.metric import MetricSpec
from policies.statistics.evidence import BucketSums, EpochEvidence, ExperimentEvidence, VariantEvidence
from policies.statistics.reporting.comparer import Comparer
from policies.statistics.reporting.settings import AnalysisSettings
from policies.statistics.reporting.traffic import Traffic, measure
from policies.statistics.reporting.weighing import Weighing

BUCKETS: Final = 256
GROUPS: Final = 4
CLICKS: Final = MetricSpec("clicks", "binary")


def evidence(effect: int = 1) -> ExperimentEvidence:
    """Two epochs of an hour, (B,) of one unit a bucket that sends four requests with an outcome each.

    Control ``a`` has 1.5 clicks a unit; ``b`` has ``effect`` more on every fourth unit, and is slower by five
    latency cells (a tenth). The second epoch, which has not ended, sends three units of four to ``b``.

    >>> found = evidence().epochs[0].variants["b"]
    >>> found.units, int(found.requests.sum()), round(found.outcomes["clicks"].mean, 6)
    (128.0, 512, 0.4375)
    """
    first, second = {"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 3.0}
    place = np.arange(BUCKETS)
    return ExperimentEvidence(
        "example",
        "a",
        (
            EpochEvidence(1, 0.0, 3600.0, first, _variants(place % 2 == 0, effect)),
            EpochEvidence(2, 3600.0, None, second, _variants(place % 4 == 0, effect)),
        ),
    )


def traffic() -> Traffic:
    """The evidence as arrays.

    >>> traffic().units.tolist()
    [[128.0, 128.0], [64.0, 192.0]]
    """
    return Traffic.of(evidence())


def comparer() -> Comparer:
    """The comparer of its clicks, to which 50 units of a variant are enough.

    >>> comparer().metric.spec.name
    'clicks'
    """
    seen, settings = traffic(), AnalysisSettings(minimum_units=50)
    clicks = next(measure(seen, [CLICKS]))
    assert clicks.counted is not None
    return Comparer(clicks, Weighing.of(seen, clicks.counted, settings), settings)


def latencies(slower: int = 0) -> NDArray[np.int64]:
    """Counts (32, CELLS) of 32 groups of units: 25 requests in each of forty cells, from so many cells on.

    >>> int(latencies().sum()), int(latencies(slower=20).nonzero()[1].min())
    (32000, 220)
    """
    cells = np.zeros((32, CELLS), dtype=np.int64)
    cells[:, 200 + slower : 240 + slower] = 25
    return cells


def _variants(control: np.ndarray, effect: int) -> dict[str, VariantEvidence]:
    return {"a": _variant(control, 0, 0), "b": _variant(~control, effect, 5)}


def _variant(mine: np.ndarray, effect: int, slower: int) -> VariantEvidence:
    place = np.arange(BUCKETS)
    requests = 4 * mine.astype(np.int64)
    clicks = np.where(mine, (place // 4) % 4 + effect * (place % 16 < 4), 0).clip(max=4)
    seconds = requests * (0.02 + 0.001 * (place // 4 % 5) + 0.002 * slower)
    cells = np.zeros((GROUPS, CELLS), np.int64)
    np.add.at(cells, (place // 4 % GROUPS, 240 + slower + place // 16 % 8), requests)
    return VariantEvidence(
        requests=requests,
        errors=mine.astype(np.int64) * (place % 64 < 4),
        first_byte=seconds,
        last_byte=1.5 * seconds,
        units=float(mine.sum()),
        units_variance=0.0,
        first_byte_histogram=cells,
        last_byte_histogram=cells,
        outcomes={"clicks": BucketSums(requests, clicks)},
        immature_requests=0,
        fallback_requests=int(mine[0]),
        capped={},
    )
