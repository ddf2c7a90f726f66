"""What may a canary see? Numbers of each epoch and variant, as the service sums them up."""

from __future__ import annotations

import numpy as np

from policies.statistics.evidence import BucketSums
from policies.statistics.means import Mean
from policies.statistics.observed import Observed, ObservedEpoch, ObservedMetric, ObservedVariant


def metric(requests: np.ndarray, values: np.ndarray) -> ObservedMetric:
    """A metric from its sums by bucket."""
    sums = BucketSums(requests, values)
    return ObservedMetric(Mean.of_buckets(sums), float(requests.sum()), float(values.sum()))


def variant(requests: int, errors: int = 0, *, failing_units: int = 0, slow: int = 0) -> ObservedVariant:
    """One request a bucket in turn; errors of as many units, or all of them of a few."""
    of = np.bincount(np.arange(requests) % 1024, minlength=1024)
    spread = failing_units or errors
    failed = np.bincount(np.arange(errors) % max(spread, 1), minlength=1024)
    late = np.bincount(np.arange(slow), minlength=1024)[:1024]
    clicks = np.minimum(of, 1) * (np.arange(1024) % 5 == 0)
    return ObservedVariant(
        units=float(min(requests, 1024)),
        requests=requests,
        immature_requests=0,
        errors=metric(np.maximum(of, failed), failed),
        slow={0.5: metric(of, late)},
        metrics={"clicked": metric(of, clicks)},
    )


def observed(*epochs: tuple[float, dict[str, float], dict[str, ObservedVariant]]) -> Observed:
    """Epochs by when they began, their weights, and what their variants had."""
    return Observed(
        "ranker",
        "champion",
        tuple(
            ObservedEpoch(number, began, None, weights, variants)
            for number, (began, weights, variants) in enumerate(epochs, 1)
        ),
    )
