"""What does a policy see of an experiment: by epoch and variant, a few numbers for each quantity?

A policy plans every few seconds, and what it planned by is stored beside every epoch that it opens, so that
the plan can be computed again. So it gets means with their unit-clustered variances, not sums by bucket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import nan
from typing import Any

import numpy as np

from policies.latency_cells import cell
from policies.metric import MetricSpec
from policies.statistics.evidence import BucketSums, EpochEvidence, ExperimentEvidence, VariantEvidence
from policies.statistics.means import Mean


@dataclass(frozen=True, slots=True)
class ObservedMetric:
    """A metric's mean with its unit-clustered variance, and the plain sums behind it.

    ``count`` is of outcomes, or of requests for a metric per request; ``total`` the sum of the values.
    """

    mean: Mean
    count: float
    total: float


@dataclass(frozen=True, slots=True)
class ObservedVariant:
    """One variant in one epoch.

    ``errors`` counts answers of 500 and above; ``slow`` has, by limit in seconds, the requests that took
    longer to their last byte. ``immature_requests`` are younger than the attribution window. ``units`` is the
    estimated number of distinct units. ``metrics`` has those of the experiment of which there is an outcome.
    """

    units: float
    requests: int
    immature_requests: int
    errors: ObservedMetric
    slow: Mapping[float, ObservedMetric]
    metrics: Mapping[str, ObservedMetric]


@dataclass(frozen=True, slots=True)
class ObservedLinear:
    """One variant's logged decisions: how many, X'X (d, d), X'y (d,), and the sum of y squared."""

    count: float
    gram: tuple[tuple[float, ...], ...]
    moment: tuple[float, ...]
    square: float


@dataclass(frozen=True, slots=True)
class ObservedEpoch:
    """A time of constant weights, in unix seconds; ``variants`` lacks those without traffic."""

    number: int
    started: float
    ended: float | None
    weights: Mapping[str, float]
    variants: Mapping[str, ObservedVariant]


@dataclass(frozen=True, slots=True)
class Observed:
    """All epochs of an experiment, in order.

    ``linear`` has the rewards by features of each variant, where decisions are logged with their features.
    """

    experiment: str
    control: str
    epochs: tuple[ObservedEpoch, ...]
    linear: Mapping[str, ObservedLinear] = field(default_factory=dict)

    def since(self, moment: float) -> tuple[ObservedEpoch, ...]:
        """The epochs that began at ``moment`` (unix seconds) or later.

        >>> from policies.statistics.sample import evidence
        >>> [epoch.number for epoch in observe(evidence(), []).since(3600.0)]
        [2]
        """
        return tuple(epoch for epoch in self.epochs if epoch.started >= moment)


def observe(
    evidence: ExperimentEvidence, metrics: Sequence[MetricSpec], limits: Sequence[float] = ()
) -> Observed:
    """The numbers of each epoch and variant; ``limits`` are latencies in seconds.

    A metric per request counts a request without an outcome as 0; one per outcome is the mean of those that
    came. The limits are exact to the 2 % of the histogram's cells. In the metrics' units, and seconds. Raises
    nothing.

    >>> from policies.statistics.sample import CLICKS, evidence
    >>> first = observe(evidence(), [CLICKS], [0.01]).epochs[0].variants["b"]
    >>> first.metrics["clicks"].mean.value, first.requests
    (0.4375, 512)
    """
    return Observed(
        evidence.experiment,
        evidence.control,
        tuple(
            ObservedEpoch(
                epoch.number,
                epoch.started,
                epoch.ended,
                epoch.weights,
                {name: _variant(each, metrics, limits) for name, each in _with_traffic(epoch)},
            )
            for epoch in evidence.epochs
        ),
    )


def _with_traffic(epoch: EpochEvidence) -> Sequence[tuple[str, VariantEvidence]]:
    return [(name, each) for name, each in epoch.variants.items() if each.requests.any()]


def _variant(
    evidence: VariantEvidence, metrics: Sequence[MetricSpec], limits: Sequence[float]
) -> ObservedVariant:
    found = {}
    for metric in metrics:
        sums = evidence.outcomes.get(metric.name)
        if sums is None:
            continue
        if metric.per == "request":
            sums = BucketSums(evidence.requests, sums.numerator)
        if sums.denominator.any():
            found[metric.name] = _metric(sums)
    by_group = evidence.last_byte_histogram
    answered = by_group.sum(axis=1)
    return ObservedVariant(
        units=evidence.units,
        requests=int(evidence.requests.sum()),
        immature_requests=evidence.immature_requests,
        errors=_metric(BucketSums(evidence.requests, evidence.errors)),
        slow={
            limit: _metric(BucketSums(answered, by_group[:, cell(round(limit * 1e6)) + 1 :].sum(axis=1)))
            for limit in limits
        },
        metrics=found,
    )


def _metric(sums: BucketSums) -> ObservedMetric:
    return ObservedMetric(Mean.of_buckets(sums), float(sums.denominator.sum()), float(sums.numerator.sum()))


def to_json(observed: Observed) -> dict[str, Any]:
    """As JSON's types, NaN included (as `None`), so that a stored plan can be computed again.

    >>> from policies.statistics.sample import evidence
    >>> to_json(observe(evidence(), []))["epochs"][0]["variants"]["a"]["requests"]
    512
    """
    document: dict[str, Any] = _plain(asdict(observed))
    return document


def from_json(document: Mapping[str, Any]) -> Observed:
    """What `to_json` wrote, equal to what it was given.

    Raises KeyError for a document that lacks a field.

    >>> from policies.statistics.sample import CLICKS, evidence
    >>> seen = observe(evidence(), [CLICKS])
    >>> from_json(to_json(seen)) == seen
    True
    """
    return Observed(
        document["experiment"],
        document["control"],
        tuple(
            ObservedEpoch(
                epoch["number"],
                epoch["started"],
                epoch["ended"],
                epoch["weights"],
                {name: _read_variant(each) for name, each in epoch["variants"].items()},
            )
            for epoch in document["epochs"]
        ),
        {name: _read_linear(each) for name, each in document["linear"].items()},
    )


def _read_variant(data: Mapping[str, Any]) -> ObservedVariant:
    return ObservedVariant(
        data["units"],
        data["requests"],
        data["immature_requests"],
        _read_metric(data["errors"]),
        {float(limit): _read_metric(each) for limit, each in data["slow"].items()},
        {name: _read_metric(each) for name, each in data["metrics"].items()},
    )


def _read_linear(data: Mapping[str, Any]) -> ObservedLinear:
    gram = tuple(tuple(row) for row in data["gram"])
    return ObservedLinear(data["count"], gram, tuple(data["moment"]), data["square"])


def _read_metric(data: Mapping[str, Any]) -> ObservedMetric:
    mean = data["mean"]
    value, variance, df = (nan if mean[name] is None else mean[name] for name in ("value", "variance", "df"))
    return ObservedMetric(Mean(value, variance, df, mean["n"]), data["count"], data["total"])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and value != value else value
