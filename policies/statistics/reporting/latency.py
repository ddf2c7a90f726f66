"""How far apart are two variants' latency quantiles, over epochs?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.latency_cells import CELLS
from policies.statistics.always_valid import asymptotic
from policies.statistics.kernel import critical, studentised
from policies.statistics.quantile.clustered import ranked_difference, ranked_quantile
from policies.statistics.quantile.over_epochs import standardised
from policies.statistics.quantile.ranked import Accumulated, Ranked
from policies.statistics.reporting.compare import quantile
from policies.statistics.reporting.result import Interval
from policies.statistics.reporting.settings import AnalysisSettings
from policies.statistics.reporting.traffic import QUANTILES, Traffic
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.strata.stratified import NONE_USABLE

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QuantileDifference:
    """One quantile of a variant minus the control's, in seconds, with what any interval of it needs."""

    pair: tuple[Ranked, Ranked]
    control: float
    variant: float
    one_look: Interval
    df: float
    n: float
    kept: NDArray[np.bool_]

    @property
    def value(self) -> float:
        """Variant minus control, in seconds."""
        return self.variant - self.control

    def fixed(self, alpha: float) -> Interval:
        """The interval for one look, at the level it was made for."""
        return self.one_look

    def always_valid(self, settings: AnalysisSettings, alpha: float | None = None) -> Interval:
        """The interval for any number of looks: the same one at the confidence sequence's multiplier.

        Source: Waudby-Smith et al. (2024); Zou & Donner (2008).

        >>> from policies.statistics.sample import evidence
        >>> latency = Latency(Traffic.of(evidence()), "first_byte")
        >>> settings = AnalysisSettings(minimum_units=50)
        >>> found = latency.difference(1, "p50", settings)
        >>> interval = found.always_valid(settings)
        >>> interval.low < found.value < interval.high
        True
        """
        level = settings.alpha if alpha is None else alpha
        multiplier = studentised(quantile(self.n, settings, level), self.df)
        found = ranked_difference(*self.pair, level, multiplier=multiplier)
        p_value, tail = 1.0, self.one_look.p_value
        if tail is not None and tail < 1.0:
            z = critical(max(tail, 1e-300))
            p_value = asymptotic.p_value(z, self.n, settings.alpha, settings.n_star)
        return Interval(found.low, found.high, 1.0 - level, p_value)


class Latency:
    """Histograms of one latency over epochs, each epoch at one share in all variants.

    Summing histograms over epochs of different weights would compare one variant's mornings with another's
    evenings. Each epoch counts by its share of all requests; a variant's total is its effective size,
    ``1 / sum_e W_e**2 / n_e``, so that what is computed of the sum has the right variance.
    """

    def __init__(self, traffic: Traffic, name: str) -> None:
        self._traffic, self._name = traffic, name
        counts = np.zeros((*traffic.units.shape, CELLS), np.int64)
        for e, v, each in traffic.found():
            np.add.reduce(getattr(each, f"{name}_histogram"), axis=0, out=counts[e, v])
        self._size = counts.sum(axis=2, dtype=np.float64)
        # Latencies of one service fill few of the cells: the rest need not be looked at.
        filled = np.flatnonzero(counts.any(axis=(0, 1)))
        self._used = slice(int(filled[0]), int(filled[-1]) + 1) if filled.size else slice(0, 0)
        self._accumulated: dict[tuple[int, bytes], Accumulated] = {}
        self._found: dict[tuple[int, bytes, float], Ranked | NotEstimable] = {}

    def standardised(self, variant: int, kept: NDArray[np.bool_]) -> Floats:
        """A variant's histogram (G, K) over the kept epochs (E,), in all of which it has requests.

        Raises KeyError for an epoch without the variant. Source: Cochran (1954).

        >>> from policies.statistics.sample import evidence
        >>> latency = Latency(Traffic.of(evidence()), "first_byte")
        >>> latency.standardised(0, np.array([True, False])).sum(axis=1).round(6).tolist()
        [128.0, 128.0, 128.0, 128.0]
        """
        epochs = [self._traffic.evidence.epochs[e] for e in np.flatnonzero(kept)]
        name, attribute = self._traffic.variants[variant], f"{self._name}_histogram"
        rows = [getattr(epoch.variants[name], attribute)[:, self._used] for epoch in epochs]
        stack = np.empty((len(rows), *rows[0].shape))
        np.concatenate(rows, out=stack.reshape(-1, rows[0].shape[1]))
        shares = self._size[kept].sum(axis=1) / self._size[kept].sum()
        whole = np.zeros((len(rows[0]), CELLS))
        whole[:, self._used] = standardised(stack, self._size[kept, variant], shares)
        return whole

    def of(self, variant: int, q: float, alpha: float) -> Estimate | NotEstimable:
        """A variant's own quantile, in seconds.

        Raises ValueError unless q and alpha are in (0, 1). Source: Deng et al. (2018).

        >>> from policies.statistics.sample import evidence
        >>> latency = Latency(Traffic.of(evidence()), "first_byte")
        >>> round(latency.of(0, 0.5, 0.05).estimate, 6)
        0.016335
        """
        kept = self._size[:, variant] > 0
        if not kept.any():
            return NotEstimable(self._name, "no requests")
        found = self._ranked(variant, kept, q)
        return found if isinstance(found, NotEstimable) else ranked_quantile(found, alpha)

    def difference(
        self, variant: int, q: str, settings: AnalysisSettings
    ) -> QuantileDifference | NotEstimable:
        """A variant's quantile (a name in ``QUANTILES``) minus the control's.

        In seconds; ``NotEstimable`` with the reason. Source: Zou & Donner (2008).

        >>> from policies.statistics.sample import evidence
        >>> latency = Latency(Traffic.of(evidence()), "first_byte")
        >>> round(latency.difference(1, "p50", AnalysisSettings(minimum_units=50)).value, 6)
        0.003617
        """
        name, kept = f"{self._name}_{q}", (self._size[:, 0] > 0) & (self._size[:, variant] > 0)
        if not kept.any():
            return NotEstimable(name, NONE_USABLE)
        units = self._traffic.units[kept][:, [0, variant]].sum(axis=0)
        if units.min() < settings.minimum_units:
            return NotEstimable(name, f"a variant has fewer than {settings.minimum_units} units")
        a, b = (self._ranked(v, kept, QUANTILES[q]) for v in (0, variant))
        if isinstance(a, NotEstimable):
            return NotEstimable(name, f"control: {a.reason}")
        if isinstance(b, NotEstimable):
            return NotEstimable(name, f"treatment: {b.reason}")
        found = ranked_difference(a, b, settings.alpha)
        control, treatment, df = (float(str(found.detail(key))) for key in ("control", "treatment", "df"))
        interval = Interval(found.low, found.high, found.level, found.p_value)
        n = float(units.sum())
        return QuantileDifference((a, b), control, treatment, interval, df, n, kept)

    def _ranked(self, variant: int, kept: NDArray[np.bool_], q: float) -> Ranked | NotEstimable:
        at = (variant, kept.tobytes())
        if (*at, q) not in self._found:
            if at not in self._accumulated:
                self._accumulated[at] = Accumulated.of(self.standardised(variant, kept))
            self._found[*at, q] = self._accumulated[at].ranked(self._name, q)
        return self._found[*at, q]
