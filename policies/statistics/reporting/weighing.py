"""In which epochs are a metric's variants compared, and how does each epoch weigh?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.statistics.reporting.settings import AnalysisSettings
from policies.statistics.reporting.traffic import Traffic
from policies.statistics.result import NotEstimable
from policies.statistics.strata.additive import linear_map
from policies.statistics.strata.clustered import Counts

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fit:
    """The additive fit of C ``variants`` and the epochs, from counts alone: how it follows from the means.

    ``maps`` (V, C, E), see ``linear_map``; ``kept`` (E,) are the epochs that any two of the variants share;
    ``units`` are behind each of the C variants there, and ``late`` is as in ``Weighing``.
    """

    variants: tuple[int, ...]
    maps: Floats
    kept: Flags
    units: tuple[float, ...]
    late: str | None


@dataclass(frozen=True, slots=True)
class Weighing:
    """What follows from a metric's counts alone, so that all metrics per request share one.

    ``weights`` (R, E) are the different weightings of the epochs there are, each summing to 1, and ``kept``
    (R, E) the epochs that have a weight. ``own`` and ``pair`` name, by variant, the row of its own mean and
    that of its comparison with the control: -1 where no epoch has the data. By variant and row, ``units``
    are those behind the mean, no more than it has outcomes, ``clusters`` the buckets, and ``immature`` the
    share of requests whose outcomes may still come; ``late`` says by variant why no comparison is to be made
    for that, None where there is no reason.
    """

    weights: Floats
    kept: Flags
    own: tuple[int, ...]
    pair: tuple[int, ...]
    units: list[list[float]]
    clusters: list[list[int]]
    immature: list[list[float]]
    late: tuple[str | None, ...]
    fit: Fit | NotEstimable

    @staticmethod
    def of(traffic: Traffic, counts: Counts, settings: AnalysisSettings) -> Weighing:
        """A variant's own mean weighs epochs by all variants' traffic, a comparison as the settings say.

        Raises nothing. Source: Cochran (1954).

        >>> from policies.statistics.sample import evidence
        >>> traffic = Traffic.of(evidence())
        >>> Weighing.of(traffic, traffic.requests, AnalysisSettings()).weights.tolist()
        [[0.5, 0.5]]
        """
        usable, cmh = counts.clusters > 1, settings.weighting == "cmh"
        everything = counts.total.sum(axis=1)
        known: dict[tuple[bytes, int], int] = {}
        masks: list[Flags] = []
        sizes: list[Floats] = []

        def row(kept: Flags, compared: int) -> int:
            key = kept.tobytes(), compared
            if not kept.any() or key in known:
                return known.get(key, -1)
            masks.append(kept)
            sizes.append(_precision(counts.total[:, [0, compared]]) if compared else everything)
            return known.setdefault(key, len(known))

        columns = range(len(traffic.variants))
        pair = tuple(row(usable[:, 0] & usable[:, v], v if cmh else 0) for v in columns)
        own = tuple(row(usable[:, v], 0) for v in columns)
        shape = len(masks), len(everything)
        kept = np.array(masks, np.bool_).reshape(shape)
        inside = np.where(kept, np.array(sizes).reshape(shape), 0.0)
        clusters = [counts.clusters_over(each).tolist() for each in kept]
        immature, most = _immature(traffic, kept).tolist(), settings.max_immature_share

        def late(variant: int, at: int) -> str | None:
            if at < 0 or max(immature[0][at], immature[variant][at]) <= most:
                return None
            return traffic.too_immature((0, variant), kept[at], most)

        return Weighing(
            weights=inside / inside.sum(axis=1)[:, None],
            kept=kept,
            own=own,
            pair=pair,
            units=_units(traffic, counts, kept).tolist(),
            clusters=[[row[v] for row in clusters] for v in columns],
            immature=immature,
            late=tuple(late(v, at) for v, at in enumerate(pair)),
            fit=_fit(traffic, counts, most),
        )


def _precision(total: Floats) -> Floats:
    """``n_a n_b / (n_a + n_b)`` of both totals (E, 2), by epoch: see ``stratum_weights``."""
    size: Floats = 1.0 / (1.0 / np.where(total > 0.0, total, 1.0)).sum(axis=1)
    return size


def _units(traffic: Traffic, counts: Counts, kept: Flags) -> Floats:
    """The units behind each variant's mean over the kept epochs (R, E), (V, R)."""
    inside = kept.T.astype(np.float64)
    units: Floats = np.minimum(traffic.units.T @ inside, counts.total.T @ inside)
    return units


def _immature(traffic: Traffic, kept: Flags) -> Floats:
    """The share of requests in the kept epochs (R, E) whose outcomes may still come, by variant, (V, R)."""
    inside = kept.T.astype(np.float64)
    requests = traffic.routed.T @ inside
    share: Floats = traffic.immature.T @ inside / np.where(requests > 0.0, requests, 1.0)
    return share


def _fit(traffic: Traffic, counts: Counts, most: float) -> Fit | NotEstimable:
    """Of the variants that have traffic, each epoch's mean weighing as its outcomes counted.

    Weights by counts rather than by estimated precisions, as those go with the means where events are few.
    A variant that no epoch joins to the others is not among the fit's.
    """
    chosen = np.flatnonzero(traffic.routed.sum(axis=0))
    sizes = np.where(counts.clusters[:, chosen] > 1, counts.total[:, chosen], 0.0)
    kept = np.count_nonzero(sizes, axis=1) > 1
    found = linear_map(sizes * kept[:, None])
    if isinstance(found, NotEstimable):
        return found
    joined = tuple(chosen[list(found[1])].tolist())
    maps = np.zeros((len(traffic.variants), *found[0].shape[:2]))
    maps[chosen] = found[0].transpose(2, 0, 1)
    units = _units(traffic, counts, kept[None])[list(joined), 0]
    late = traffic.too_immature(joined, kept, most)
    return Fit(joined, maps, kept, tuple(units.tolist()), late)
