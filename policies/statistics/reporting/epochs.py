"""How far is each variant from the control within each epoch, and do the epochs agree?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.statistics.reporting.compare import quantiles
from policies.statistics.reporting.result import EpochEffects
from policies.statistics.reporting.settings import AnalysisSettings
from policies.statistics.reporting.traffic import Traffic
from policies.statistics.strata.clustered import Panel
from policies.statistics.strata.inverse_variance import combined

Floats = NDArray[np.float64]
Within = tuple[EpochEffects, float | None]


def within_epochs(
    traffic: Traffic, panels: Sequence[Panel], settings: AnalysisSettings
) -> list[list[Within]]:
    """For each of M panels and of V - 1 variants: the unadjusted effects by epoch, and Cochran's Q's p-value.

    An epoch counts where both variants have two clusters, of values that can be squared. All is
    computed at once, as arrays (M, V - 1, E). Raises nothing. Source: Cochran (1954).

    >>> from policies.statistics.reporting.traffic import measure
    >>> from policies.statistics.sample import CLICKS, evidence
    >>> traffic = Traffic.of(evidence())
    >>> clicks = next(measure(traffic, [CLICKS]))
    >>> ((effects, disagree),) = within_epochs(traffic, [clicks.panel], AnalysisSettings(minimum_units=50))[0]
    >>> effects.epoch, effects.difference, disagree
    ((1, 2), (0.0625, 0.0625), 1.0)
    """
    total, mean, variance, cross, clusters = (
        np.array([getattr(panel, name) for panel in panels]).swapaxes(1, 2)
        for name in ("total", "mean", "variance", "cross", "clusters")
    )
    known = (clusters > 1) & np.array([panel.measurable for panel in panels]).swapaxes(1, 2)
    kept = (known & known[:, :1])[:, 1:]
    variances = (variance[:, :1] + variance - 2.0 * cross)[:, 1:]
    errors = np.sqrt(np.maximum(variances, 0.0))
    values = (mean - mean[:, :1])[:, 1:]
    counts = np.minimum(traffic.units.T, total)
    smaller, n = np.minimum(counts, counts[:, :1])[:, 1:], (counts + counts[:, :1])[:, 1:]
    df = np.minimum(clusters, clusters[:, :1])[:, 1:] - 1.0
    enough = kept & (smaller >= settings.minimum_units) & (errors > 0.0)

    factors = quantiles(np.where(enough, n, 1.0), np.where(enough, df, 1.0), settings)
    widths = np.where(enough, factors, 0.0) * errors

    each = len(traffic.variants) - 1
    shape = len(panels) * each, len(traffic.evidence.epochs)
    numbers = np.array([epoch.number for epoch in traffic.evidence.epochs], np.int64)
    columns = [column.reshape(shape) for column in (values, errors, values - widths, values + widths)]
    effects = _effects(
        kept.reshape(shape), enough.reshape(shape), [np.broadcast_to(numbers, shape), *columns]
    )
    disagree = _disagree(*(column.reshape(shape) for column in (values, variances, enough)))
    found = list(zip(effects, disagree, strict=True))
    return [found[m * each : (m + 1) * each] for m in range(len(panels))]


def _effects(
    kept: NDArray[np.bool_], enough: NDArray[np.bool_], columns: Sequence[NDArray[Any]]
) -> Iterator[EpochEffects]:
    """Each row of (N, E): epochs not kept are left out, and those without enough units have no interval."""
    flat: list[list[Any]] = [column[kept].tolist() for column in columns]
    for place in np.flatnonzero(~enough[kept]).tolist():
        flat[3][place] = flat[4][place] = None
    first = 0
    for last in np.count_nonzero(kept, axis=1).cumsum().tolist():
        yield EpochEffects(*(tuple(column[first:last]) for column in flat))
        first = last


def _disagree(values: Floats, variances: Floats, enough: NDArray[np.bool_]) -> list[float | None]:
    """Cochran's Q's p-value of each row (E), None with fewer than two epochs."""
    comparable = np.count_nonzero(enough, axis=1) > 1
    found: list[float | None] = [None] * len(comparable)
    if comparable.any():
        inside, spread = enough[comparable], variances[comparable]
        precision = np.divide(1.0, spread, out=np.zeros_like(spread), where=inside)
        p_values = combined(np.where(inside, values[comparable], 0.0), precision)[3]
        for place, p_value in zip(np.flatnonzero(comparable).tolist(), p_values.tolist(), strict=True):
            found[place] = p_value
    return found
