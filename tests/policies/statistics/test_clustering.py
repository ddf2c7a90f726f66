"""Does the clustered error hold when a few users send most requests, where the request-level one fails?

Experiments without an effect: users have a rate of their own and a heavy-tailed number of requests. A test at
5 % must reject in about 5 % of them.
"""

from __future__ import annotations

import numpy as np
import pytest

from policies.statistics.always_valid import asymptotic
from policies.statistics.difference.means import clustered
from policies.statistics.difference.score import two_proportion
from policies.statistics.evidence import BucketSums
from policies.statistics.kernel import two_sided
from policies.statistics.result import Estimate
from policies.statistics.strata.clustered import stratified_clustered

EXPERIMENTS, USERS, BUCKETS, EPOCHS = 2000, 3000, 1024, 3
BAND = (0.035, 0.065)


def simulate(
    rng: np.random.Generator, epochs: int, drift: tuple[float, ...], turnover: float
) -> tuple[np.ndarray, np.ndarray]:
    """Requests and successes (epochs, 2, B) of one experiment in which the variants are the same.

    All users come in every epoch; a share ``turnover`` of them is dealt anew each time, as when weights
    change. One user in a hundred sends more than twenty times the median.
    """
    bucket = rng.integers(BUCKETS, size=USERS)
    mood = rng.beta(1.2, 2.8, USERS)
    activity = np.minimum(rng.pareto(1.6, USERS) + 0.2, 60.0)
    arm = rng.integers(2, size=USERS)
    requests, successes = np.zeros((2, epochs, 2, BUCKETS), np.int64)
    for e in range(epochs):
        again = rng.random(USERS) < turnover
        arm = np.where(again, rng.integers(2, size=USERS), arm)
        sent = rng.poisson(2.0 * activity)
        won = rng.binomial(sent, np.clip(mood + drift[e], 0.0, 1.0))
        place = arm * BUCKETS + bucket
        requests[e] = np.bincount(place, sent, 2 * BUCKETS).reshape(2, BUCKETS)
        successes[e] = np.bincount(place, won, 2 * BUCKETS).reshape(2, BUCKETS)
    return requests, successes


def test_false_positives_under_heavy_tailed_requests() -> None:
    rng = np.random.default_rng(20240)
    by_user = by_request = 0
    for _ in range(EXPERIMENTS):
        (n,), (x,) = simulate(rng, 1, (0.0,), 0.0)
        result = clustered(BucketSums(n[0], x[0]), BucketSums(n[1], x[1]))
        naive = two_proportion(int(x[0].sum()), int(n[0].sum()), int(x[1].sum()), int(n[1].sum()))
        assert isinstance(result, Estimate)
        assert isinstance(naive, Estimate)
        by_user += result.p_value < 0.05
        by_request += naive.p_value < 0.05
    assert BAND[0] <= by_user / EXPERIMENTS <= BAND[1]
    assert by_request / EXPERIMENTS >= 4 * 0.05


@pytest.mark.parametrize("turnover", [0.0, 0.5])
def test_false_positives_over_epochs_of_returning_users(turnover: float) -> None:
    """The combined error follows users through epochs; adding epochs' variances up does not."""
    rng = np.random.default_rng(7)
    combined = added = 0
    runs = 1000
    for _ in range(runs):
        n, x = simulate(rng, EPOCHS, (0.0, 0.1, -0.1), turnover)
        pairs = [tuple(BucketSums(n[e, arm], x[e, arm]) for arm in (0, 1)) for e in range(EPOCHS)]
        result = stratified_clustered(pairs)
        assert isinstance(result, Estimate)
        combined += result.p_value < 0.05
        sizes = n.sum(axis=(1, 2)) / n.sum()
        variance = sum(
            w**2 * sum(s.variance_of_mean() for s in pair) for w, pair in zip(sizes, pairs, strict=True)
        )
        added += two_sided(result.estimate / float(np.sqrt(variance))) < 0.05
    assert BAND[0] - 0.005 <= combined / runs <= BAND[1] + 0.005
    if turnover == 0.0:
        assert added / runs >= 2 * 0.05


def test_looking_at_every_step_while_users_come_and_come_back() -> None:
    """600 experiments without an effect, looked at 40 times as users arrive, stay and send more.

    The always-valid p-value, at the number of users so far and their clustered error, ever falls below 5 % in
    at most 3 % of them; the clustered p-value for one look does in several times 5 %.
    """
    rng, runs, looks, users = np.random.default_rng(99), 600, 40, 4000
    always_valid = one_look = 0
    for _ in range(runs):
        arrival = np.sort(rng.integers(looks, size=users))
        place = rng.integers(2, size=users) * BUCKETS + rng.integers(BUCKETS, size=users)
        mood, activity = rng.beta(1.2, 2.8, users), np.minimum(rng.pareto(1.6, users) + 0.2, 60.0)
        requests, successes = np.zeros((2, 2, BUCKETS), np.int64)
        ever = [False, False]
        for look in range(looks):
            here = int(np.searchsorted(arrival, look, side="right"))
            sent = rng.poisson(activity[:here] * 0.3)
            won = rng.binomial(sent, mood[:here])
            requests += np.bincount(place[:here], sent, 2 * BUCKETS).astype(np.int64).reshape(2, BUCKETS)
            successes += np.bincount(place[:here], won, 2 * BUCKETS).astype(np.int64).reshape(2, BUCKETS)
            result = clustered(*(BucketSums(n, x) for n, x in zip(requests, successes, strict=True)))
            if here < 200 or not isinstance(result, Estimate):
                continue
            z = result.estimate / result.standard_error
            ever[0] |= asymptotic.p_value(z, here, 0.05, users) < 0.05
            ever[1] |= result.p_value < 0.05
        always_valid, one_look = always_valid + ever[0], one_look + ever[1]
    assert always_valid / runs <= 0.03
    assert one_look / runs >= 3 * 0.05
