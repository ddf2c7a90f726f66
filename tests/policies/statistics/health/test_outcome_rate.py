"""Are lost outcomes found, when users send many requests and the rate drifts?"""

from __future__ import annotations

import numpy as np

from policies.statistics.difference.contingency import chi_square
from policies.statistics.health.outcome_rate import homogeneity, outcome_rate_by_bucket
from policies.statistics.means import Mean


def simulate(rng: np.random.Generator, lost: float) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes and requests (2, 3, 256); the last variant loses more, and is missing in the first epoch."""
    users, buckets = 2000, 256
    bucket, arm = rng.integers(buckets, size=users), rng.integers(3, size=users)
    sent, mood = 1 + rng.poisson(rng.lognormal(1.0, 1.0, users)), rng.beta(8.0, 2.0, users)
    requests, outcomes = np.zeros((2, 2, 3, buckets))
    for e, drift in enumerate((1.0, 0.8)):
        arm_now = np.where(arm == 2, 0, arm) if e == 0 else arm
        got = rng.binomial(sent, mood * drift * np.where(arm_now == 2, 1.0 - lost, 1.0))
        for v in range(3):
            requests[e, v] = np.bincount(bucket, sent * (arm_now == v), buckets)
            outcomes[e, v] = np.bincount(bucket, got * (arm_now == v), buckets)
    return outcomes, requests


def test_level_under_clustering_drift_and_an_absent_variant() -> None:
    rng, runs = np.random.default_rng(2), 1500
    clustered = naive = 0
    for _ in range(runs):
        outcomes, requests = simulate(rng, 0.0)
        clustered += outcome_rate_by_bucket(outcomes, requests).p_value < 0.05
        got, of = outcomes.sum(axis=(0, 2)), requests.sum(axis=(0, 2))
        naive += chi_square(np.column_stack([got, of - got])).p_value < 0.05
    assert 0.035 < clustered / runs < 0.065
    assert naive / runs > 0.2


def test_losing_a_tenth_is_found() -> None:
    outcomes, requests = simulate(np.random.default_rng(4), 0.1)
    result = outcome_rate_by_bucket(outcomes, requests)
    assert result.p_value < 0.001
    assert result.detail("df") == 2.0


def test_homogeneity_of_two_is_the_squared_z() -> None:
    a, b = Mean.of_rate(30, 100), Mean.of_rate(50, 120)
    z = (b.value - a.value) / np.sqrt(a.variance + b.variance)
    assert np.isclose(homogeneity([a, b]).statistic, z**2)
