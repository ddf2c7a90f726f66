"""Experiments with real users: who come back, send many requests, and whose outcomes may be late."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from policies.latency_cells import CELLS, cell
from policies.metric import MetricSpec
from policies.statistics.evidence import BucketSums, EpochEvidence, ExperimentEvidence, VariantEvidence
from policies.statistics.report import AnalysisSettings, Effect, Report, report

BUCKETS, GROUPS = 1024, 32


@dataclass
class World:
    """Users with a rate of success and a number of requests of their own; effects are added by variant.

    ``lift`` and ``slower`` are by variant; ``late`` is the share of each variant's requests that is immature,
    ``missing`` the share of those whose outcome has not come.
    """

    seed: int = 1
    users: int = 4000
    requests: float = 5.0
    rates: Sequence[float] = (0.3,)
    lift: Mapping[str, float] = field(default_factory=dict)
    slower: Mapping[str, float] = field(default_factory=dict)
    late: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, float] = field(default_factory=dict)
    lost: Mapping[str, float] = field(default_factory=dict)

    def run(self, weights: Sequence[Mapping[str, float]], control: str = "a") -> ExperimentEvidence:
        """One epoch for each weighting; the same users come back in all of them."""
        rng = np.random.default_rng(self.seed)
        bucket = rng.integers(BUCKETS, size=self.users)
        mood = rng.normal(0.0, 0.1, self.users)
        place = rng.random(self.users)
        epochs = []
        for number, shares in enumerate(weights, start=1):
            names, cuts = list(shares), np.cumsum(list(shares.values())) / sum(shares.values())
            arm = np.searchsorted(cuts, place, side="right")
            rate = self.rates[min(number, len(self.rates)) - 1]
            found = {
                name: self._variant(rng, name, bucket[arm == i], rate + mood[arm == i])
                for i, name in enumerate(names)
                if (arm == i).any()
            }
            epochs.append(EpochEvidence(number, number * 3600.0, (number + 1) * 3600.0, shares, found))
        return ExperimentEvidence("test", control, tuple(epochs))

    def _variant(
        self, rng: np.random.Generator, name: str, bucket: np.ndarray, rate: np.ndarray
    ) -> VariantEvidence:
        sent = 1 + rng.poisson(self.requests - 1.0, bucket.size)
        chance = np.clip(rate + self.lift.get(name, 0.0), 0.0, 1.0)
        late = rng.binomial(sent, self.late.get(name, 0.0))
        silent = rng.binomial(late, self.missing.get(name, 0.0))
        silent += rng.binomial(sent - silent, self.lost.get(name, 0.0))
        counted = sent - silent
        won = rng.binomial(counted, chance)
        owner = np.repeat(bucket, sent)
        seconds = rng.lognormal(-3.0, 0.5, owner.size) + self.slower.get(name, 0.0)
        cells = np.zeros((GROUPS, CELLS), np.int64)
        np.add.at(cells, (owner % GROUPS, [cell(int(s * 1e6)) for s in seconds]), 1)

        def by_bucket(values: np.ndarray) -> np.ndarray:
            return np.bincount(bucket, values, BUCKETS)

        latency = np.bincount(owner, seconds, BUCKETS)
        return VariantEvidence(
            requests=by_bucket(sent).astype(np.int64),
            errors=by_bucket(rng.binomial(sent, 0.02)).astype(np.int64),
            first_byte=latency,
            last_byte=latency * 1.5,
            units=float(bucket.size),
            units_variance=0.0,
            first_byte_histogram=cells,
            last_byte_histogram=cells,
            outcomes={
                "won": BucketSums(by_bucket(counted).astype(np.int64), by_bucket(won).astype(np.int64)),
                "value": BucketSums(by_bucket(counted).astype(np.int64), by_bucket(won * 10.0)),
                "before": BucketSums(by_bucket(sent).astype(np.int64), by_bucket(sent * rate)),
            },
            immature_requests=int(late.sum()),
        )


@pytest.fixture
def world() -> Callable[..., World]:
    """``world(seed=1, ...).run([{"a": 1, "b": 1}, ...])`` is the evidence of a simulated experiment."""
    return World


@pytest.fixture
def judged() -> Callable[..., Report]:
    """``judged(evidence, *metrics, settings=...)``: the report, of the metric ``won`` if none is given."""

    usual = AnalysisSettings(n_star=4000)

    def call(
        evidence: ExperimentEvidence, *metrics: MetricSpec, settings: AnalysisSettings = usual
    ) -> Report:
        return report(evidence, metrics or (MetricSpec("won", "binary"),), settings, now=1e6)

    return call


@pytest.fixture
def effect_of() -> Callable[..., Effect]:
    """``effect_of(report, metric, variant)``: the one effect of that metric and variant."""

    def call(found: Report, metric: str = "won", variant: str = "b") -> Effect:
        (effect,) = [each for each in found.effects if (each.metric, each.variant) == (metric, variant)]
        return effect

    return call
