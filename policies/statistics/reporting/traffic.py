"""What traffic did each variant have in each epoch, and where are a metric's sums in it?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from policies.metric import MetricSpec
from policies.statistics.evidence import BucketSums, ExperimentEvidence, VariantEvidence
from policies.statistics.reporting.result import Capped
from policies.statistics.result import NotEstimable
from policies.statistics.strata.clustered import Counts, Panel

Floats = NDArray[np.float64]

OPERATIONAL: Final = (
    MetricSpec("error_share", "binary", "decrease", "request"),
    MetricSpec("first_byte_mean", "mean", "decrease", "request"),
    MetricSpec("last_byte_mean", "mean", "decrease", "request"),
)
QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
LATENCIES: Final = ("first_byte", "last_byte")
RESERVED: Final = frozenset(spec.name for spec in OPERATIONAL) | {
    f"{latency}_{name}" for latency in LATENCIES for name in QUANTILES
}


@dataclass(frozen=True, slots=True)
class Traffic:
    """Evidence as arrays over (E epochs, V variants): control is variant 0.

    ``units``, ``units_variance``, ``immature``, ``weights`` and ``routed`` (requests in all) are (E, V);
    ``requests`` are (E, V, B); ``cells`` are the evidence itself, E * V of them, None where there is none.
    """

    evidence: ExperimentEvidence
    variants: tuple[str, ...]
    units: Floats
    units_variance: Floats
    immature: Floats
    weights: Floats
    routed: Floats
    requests: Counts
    cells: tuple[VariantEvidence | None, ...]

    @staticmethod
    def of(evidence: ExperimentEvidence) -> Traffic:
        """Raises ValueError when epochs or variants were counted in different numbers of buckets.

        >>> from policies.statistics.sample import evidence
        >>> traffic = Traffic.of(evidence())
        >>> traffic.units.tolist(), traffic.weights.tolist()
        ([[128.0, 128.0], [64.0, 192.0]], [[1.0, 1.0], [1.0, 3.0]])
        """
        variants = evidence.variants
        shape = (len(evidence.epochs), len(variants))
        sizes = {each.requests.size for epoch in evidence.epochs for each in epoch.variants.values()}
        if len(sizes) > 1:
            raise ValueError(f"all evidence must have the same number of buckets, got {sorted(sizes)}")
        cells = tuple(epoch.variants.get(name) for epoch in evidence.epochs for name in variants)
        rows = [None if each is None else each.requests for each in cells]
        requests = Counts.of(stacked(rows, np.empty((*shape, sizes.pop() if sizes else 1))))
        units, variance, immature, weights = (np.zeros(shape) for _ in range(4))
        traffic = Traffic(
            evidence, variants, units, variance, immature, weights, requests.total, requests, cells
        )
        for e, epoch in enumerate(evidence.epochs):
            weights[e] = [epoch.weights.get(name, 0.0) for name in variants]
        for e, v, found in traffic.found():
            units[e, v], variance[e, v] = found.units, found.units_variance
            immature[e, v] = found.immature_requests
        return traffic

    def found(self) -> Iterator[tuple[int, int, VariantEvidence]]:
        """Each (epoch, variant) that has evidence, by index."""
        for place, each in enumerate(self.cells):
            if each is not None:
                yield *divmod(place, len(self.variants)), each

    def outcomes(self, name: str) -> list[BucketSums | None]:
        """A metric's sums for each of ``cells``, None where there are none."""
        return [None if each is None else each.outcomes.get(name) for each in self.cells]

    def immature_share(self, variant: int, kept: NDArray[np.bool_] | None = None) -> float:
        """The share of a variant's requests, in all or the ``kept`` epochs, whose outcomes may still come.

        >>> from policies.statistics.sample import evidence
        >>> traffic = Traffic.of(evidence())
        >>> traffic.immature_share(0)
        0.0
        """
        epochs = slice(None) if kept is None else kept
        total = float(self.routed[epochs, variant].sum())
        return float(self.immature[epochs, variant].sum()) / total if total else 0.0

    def fallback_share(self, variant: int) -> float | None:
        """The share of a variant's requests that another one's backend served, of those so counted.

        >>> from policies.statistics.sample import evidence
        >>> traffic = Traffic.of(evidence())
        >>> round(traffic.fallback_share(0), 6), traffic.fallback_share(1)
        (0.002604, 0.0)
        """
        counted = [
            (e, found.fallback_requests)
            for e, v, found in self.found()
            if v == variant and found.fallback_requests is not None
        ]
        requests = sum(float(self.routed[e, variant]) for e, _ in counted)
        return sum(fallbacks for _, fallbacks in counted) / requests if requests else None

    def capped(self, variant: int) -> tuple[Capped, ...]:
        """A variant's outcomes that counted as their metric's cap, of the metrics where it was counted.

        >>> from policies.statistics.sample import evidence
        >>> traffic = Traffic.of(evidence())
        >>> traffic.capped(0)
        ()
        """
        counts: dict[str, int] = {}
        for _, v, found in self.found():
            if v == variant:
                for metric, count in found.capped.items():
                    counts[metric] = counts.get(metric, 0) + count
        return tuple(Capped(metric, count) for metric, count in counts.items())

    def too_immature(self, variants: Iterable[int], kept: NDArray[np.bool_], most: float) -> str | None:
        """Why outcomes in the ``kept`` epochs say nothing yet: a variant above the share ``most``.

        >>> from policies.statistics.sample import evidence
        >>> traffic = Traffic.of(evidence())
        >>> traffic.too_immature((0, 1), np.array([True, True]), 0.05) is None
        True
        """
        for v in variants:
            share = self.immature_share(v, kept)
            if share > most:
                return f"{share:.0%} of the requests of {self.variants[v]} are not mature yet"
        return None

    def seconds(self, now: float) -> Floats:
        """How long each epoch lasted, (E,), until its end or ``now``, in unix seconds.

        >>> from policies.statistics.sample import evidence
        >>> traffic = Traffic.of(evidence())
        >>> traffic.seconds(5400.0).tolist()
        [3600.0, 1800.0]
        """
        lasted = [
            (now if epoch.ended is None else min(epoch.ended, now)) - epoch.started
            for epoch in self.evidence.epochs
        ]
        return np.array(lasted, np.float64)

    def units_per_day(self, variant: int, kept: NDArray[np.bool_], seconds: Floats) -> float | NotEstimable:
        """Units of a variant and the control a day in the ``kept`` epochs, which lasted ``seconds`` (E,).

        ``NotEstimable`` when no more will come: the last epoch has ended, or one of both is paused in it.

        >>> from policies.statistics.sample import evidence
        >>> traffic = Traffic.of(evidence())
        >>> traffic.units_per_day(1, np.array([True, True]), traffic.seconds(7200.0))
        6144.0
        """
        method = "units per day"
        if self.evidence.epochs[-1].ended is not None:
            return NotEstimable(method, "no traffic flows: the last epoch has ended")
        if not (self.weights[-1, 0] and self.weights[-1, variant]):
            return NotEstimable(method, "no traffic flows: the variant or the control is paused")
        units, lasted = float(kept @ (self.units[:, 0] + self.units[:, variant])), float(kept @ seconds)
        if lasted <= 0.0 or units == 0.0:
            return NotEstimable(method, "no traffic was observed for any time")
        return units / lasted * 86_400.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric with its linearised sums, and those of its covariate if it has one.

    ``counted`` are the outcomes counted, None for metrics per request. Operational metrics are known with the
    request itself: nothing of them is ever immature.
    """

    spec: MetricSpec
    family: Literal["declared", "operational"]
    panel: Panel
    covariate: Panel | None = None
    counted: Counts | None = None


def measure(traffic: Traffic, metrics: Sequence[MetricSpec]) -> Iterator[Measured]:
    """The declared metrics and the operational ones every proxy has, one at a time.

    All share one working memory, so a metric's panel is overwritten when the next one is asked for: fresh
    memory for each would cost more than the arithmetic.
    A covariate is declared, or recorded without being declared.
    Raises ValueError for a name that is used twice, or is an operational one, or a covariate that is not
    among the outcomes recorded.

    >>> from policies.statistics.sample import CLICKS, evidence
    >>> [each.spec.name for each in measure(Traffic.of(evidence()), [CLICKS])]
    ['clicks', 'error_share', 'first_byte_mean', 'last_byte_mean']
    """
    names = [spec.name for spec in metrics]
    clashes = sorted({name for name in names if names.count(name) > 1 or name in RESERVED})
    if clashes:
        raise ValueError(f"metric names must be unique and not operational ones: {', '.join(clashes)}")
    recorded = set(names).union(*(each.outcomes for each in traffic.cells if each is not None))
    spare = np.empty((3, *traffic.requests.array.shape))
    for spec in metrics:
        yield _declared(traffic, spec, recorded, spare)
    for spec, attribute in zip(OPERATIONAL, ("errors", *LATENCIES), strict=True):
        rows = [None if each is None else getattr(each, attribute) for each in traffic.cells]
        yield Measured(spec, "operational", Panel.of(traffic.requests, stacked(rows, spare[1]), spare[2]))


def _declared(traffic: Traffic, spec: MetricSpec, recorded: set[str], spare: Floats) -> Measured:
    found = traffic.outcomes(spec.name)
    counted = None if spec.per == "request" else Counts.of(stacked(_denominators(found), spare[0]))
    covariate = None
    if spec.covariate is not None:
        if spec.covariate not in recorded:
            known = ", ".join(sorted(recorded)) or "none"
            raise ValueError(f"metric {spec.name!r}: no covariate {spec.covariate!r}; recorded are: {known}")
        explaining, fresh = traffic.outcomes(spec.covariate), np.empty((2, *spare.shape[1:]))
        covariate = Panel.of(
            Counts.of(stacked(_denominators(explaining), fresh[0])),
            stacked(_numerators(explaining), spare[1]),
            fresh[1],
        )
    sums = stacked(_numerators(found), spare[1])
    panel = Panel.of(traffic.requests if counted is None else counted, sums, spare[2])
    return Measured(spec, "declared", panel, covariate, counted)


def stacked(rows: Sequence[NDArray[Any] | None], out: Floats) -> Floats:
    """Arrays (B,), one for each of a traffic's ``cells``, written into ``out`` (E, V, B); None is zeros.

    Raises ValueError for rows that do not fit.

    >>> stacked([np.array([1, 2]), None], np.empty((1, 2, 2))).tolist()
    [[[1.0, 2.0], [0.0, 0.0]]]
    """
    nothing = np.zeros(out.shape[2])
    if rows:
        np.concatenate([nothing if row is None else row for row in rows], out=out.reshape(-1))
    return out


def _denominators(found: Sequence[BucketSums | None]) -> list[NDArray[Any] | None]:
    return [None if each is None else each.denominator for each in found]


def _numerators(found: Sequence[BucketSums | None]) -> list[NDArray[Any] | None]:
    return [None if each is None else each.numerator for each in found]
