"""What was seen of each arm in each epoch, as arrays?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from policies.statistics.observed import ObservedEpoch, ObservedMetric, ObservedVariant

Floats = NDArray[np.float64]
Read = Callable[[ObservedVariant], ObservedMetric | None]


@dataclass(frozen=True, slots=True)
class Cells:
    """One quantity of K arms over E epochs; all but ``closed`` (E,) are (E, K).

    ``count`` is of outcomes (or requests), 0 where an arm had none; ``mean`` is 0 there. ``spread`` is the
    variance of one outcome as its units' clusters show it (the mean's clustered variance by the count), NaN
    for fewer than two clusters. ``closed`` epochs get no new requests.
    """

    count: Floats
    mean: Floats
    spread: Floats
    units: Floats
    closed: NDArray[np.bool_]

    @staticmethod
    def of(epochs: Sequence[ObservedEpoch], arms: Sequence[str], read: Read) -> Cells:
        """What ``read`` finds of each arm in each epoch."""
        rows = [[_numbers(epoch.variants.get(arm), read) for arm in arms] for epoch in epochs]
        numbers = np.array(rows, np.float64).reshape(len(epochs), len(arms), 4)
        count, mean, spread, units = (np.ascontiguousarray(numbers[:, :, i]) for i in range(4))
        return Cells(count, mean, spread, units, np.array([each.ended is not None for each in epochs], bool))

    def but(self, *, mean: Floats) -> Cells:
        """The same with other means."""
        return Cells(self.count, mean, self.spread, self.units, self.closed)

    def of_arms(self, arms: Sequence[int]) -> Cells:
        """Those of some arms only, in the order given."""
        some = list(arms)
        return Cells(
            self.count[:, some], self.mean[:, some], self.spread[:, some], self.units[:, some], self.closed
        )


def _numbers(variant: ObservedVariant | None, read: Read) -> tuple[float, float, float, float]:
    """Count, mean, spread and units of one cell."""
    found = None if variant is None else read(variant)
    if variant is None or found is None or not found.count > 0.0:
        return 0.0, 0.0, nan, 0.0
    mean = found.mean
    return found.count, mean.value, mean.variance * found.count if mean.n > 1 else nan, variant.units


def binary_spread(cells: Cells, prior: tuple[float, float]) -> tuple[Floats, float]:
    """The variance of one 0-or-1 outcome of each arm, (K,), and the design effect, at least 1.

    r (1 - r) of the rate r over all epochs, smoothed by the prior's counts: an epoch without a success still
    has a variance, and its weight depends on its size alone. The design effect is how much larger the
    variance between units is than that of independent outcomes, over all cells that can tell.
    """
    wins, trials = (cells.count * cells.mean).sum(axis=0), cells.count.sum(axis=0)
    rate = np.clip((wins + prior[0]) / (trials + prior[0] + prior[1]), 1e-12, 1.0 - 1e-12)
    known = np.isfinite(cells.spread)
    count, mean = cells.count[known], cells.mean[known]
    independent = float((count * mean * (1.0 - mean)).sum())
    effect = float((count * cells.spread[known]).sum()) / independent if independent > 0.0 else 1.0
    return rate * (1.0 - rate), max(effect, 1.0)


_PSEUDO_CLUSTERS = 10.0


def mean_spread(cells: Cells) -> Floats:
    """The variance of one outcome of each arm, (K,), pooled over epochs, shrunk towards all arms' where few.

    A variance from a few outcomes is uncertain and goes with the mean itself, so that weights taken from it
    would favour epochs that happened to be low (Cochran 1954). All zeros where nothing ever varied.
    """
    known = np.where(np.isfinite(cells.spread), cells.count, 0.0)
    square = (known * np.nan_to_num(cells.spread)).sum(axis=0)
    size = known.sum(axis=0)
    total = float(size.sum())
    if total == 0.0:
        return np.zeros(cells.count.shape[1])
    common = float(square.sum()) / total
    return np.asarray((square + _PSEUDO_CLUSTERS * common) / (size + _PSEUDO_CLUSTERS))
