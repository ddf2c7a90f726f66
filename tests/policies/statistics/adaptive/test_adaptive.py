"""Do inference under adaptive allocation, off-policy values and indices keep their laws?"""

from __future__ import annotations

from math import inf, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.statistics.adaptive.batched_ols import batched_ols, sequential_batched_ols
from policies.statistics.adaptive.bernoulli_indices import bayes_ucb, bernoulli_divergence, kl_ucb, ucb1
from policies.statistics.adaptive.best_arm import (
    Proportions,
    best_arm_stopping,
    lai_robbins_constant,
    optimal_proportions,
)
from policies.statistics.adaptive.linucb import LinearEvidence, linucb
from policies.statistics.adaptive.off_policy import KNOWN, off_policy_value
from policies.statistics.difference.means import student
from policies.statistics.evidence import Moments
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.result import Test as Verdict

ARM = st.tuples(st.integers(2, 200), st.floats(-10, 10), st.floats(0.01, 5))
BATCHES = st.lists(st.tuples(ARM, ARM), min_size=1, max_size=8)


def arm(n: int, mean: float, variance: float) -> Moments:
    return Moments(n, (mean,), ((variance * (n - 1),),))


def batches(raw: list) -> list[tuple[Moments, Moments]]:
    return [(arm(*a), arm(*b)) for a, b in raw]


@given(BATCHES)
def test_swapping_the_variants_flips_the_sign_and_keeps_p(raw: list) -> None:
    one, other = batched_ols(batches(raw)), batched_ols(batches([(b, a) for a, b in raw]))
    assert isinstance(one, Estimate)
    assert isinstance(other, Estimate)
    assert other.estimate == pytest.approx(-one.estimate)
    assert other.p_value == pytest.approx(one.p_value)


@given(BATCHES)
def test_interval_and_p_value_agree_about_zero(raw: list) -> None:
    for found in (batched_ols(batches(raw)), sequential_batched_ols(batches(raw), planned_batches=10)):
        assert isinstance(found, Estimate)
        assert found.p_value is not None
        edge = min(abs(found.low), abs(found.high)) < 1e-9
        assert edge or (found.p_value < 0.05) == (found.low > 0 or found.high < 0)


def test_one_batch_is_students_statistic() -> None:
    a, b = arm(30, 1.0, 2.0), arm(50, 1.8, 3.0)
    found, plain = batched_ols([(a, b)]), student(a, b)
    assert isinstance(found, Estimate)
    assert isinstance(plain, Estimate)
    assert found.detail("z") == pytest.approx(plain.estimate / plain.standard_error)


def test_a_baseline_that_jumps_between_batches_is_no_difference() -> None:
    shifted = [(arm(n, level, 1.0), arm(100 - n, level, 1.0)) for n, level in ((90, 0.0), (10, 50.0))]
    found = batched_ols(shifted)
    assert isinstance(found, Estimate)
    assert found.estimate == pytest.approx(0.0)


def test_batches_without_both_variants_are_left_out_and_counted() -> None:
    whole = (arm(50, 0.4, 0.24), arm(50, 0.5, 0.25))
    found = batched_ols([whole, (Moments.empty(), arm(50, 0.5, 0.25)), (arm(5, 1.0, 0.0), arm(5, 1.0, 0.0))])
    assert isinstance(found, Estimate)
    assert (found.detail("batches"), found.detail("left_out")) == (1.0, 2.0)
    assert isinstance(batched_ols([(Moments.empty(), arm(5, 0.5, 0.2))]), NotEstimable)
    assert isinstance(sequential_batched_ols([], planned_batches=5), NotEstimable)


def logged(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
    """Decisions of a logging policy, a target policy, a model, and the target's true value."""
    rng = np.random.default_rng(seed)
    context = rng.random(n)
    truth = np.stack([0.2 + 0.3 * context, 0.6 - 0.2 * context, np.full(n, 0.4)], axis=1)
    logging = np.stack([0.2 + 0.4 * context, 0.5 - 0.3 * context, 0.3 - 0.1 * context], axis=1)
    action = (rng.random((n, 1)) > logging.cumsum(axis=1)).sum(axis=1)
    reward = (rng.random(n) < truth[np.arange(n), action]).astype(float)
    target = np.stack([context, (1 - context) / 2, (1 - context) / 2], axis=1)
    value = 0.2 / 2 + 0.3 / 3 + 0.5 * (0.6 / 2 - 0.2 / 6) + 0.5 * 0.4 / 2
    return action, reward, logging[np.arange(n), action], target, truth + 0.1, value


@pytest.mark.parametrize("estimator", ["ips", "snips", "dr", "sndr"])
def test_off_policy_intervals_hold_the_true_value(estimator: str) -> None:
    held = []
    for seed in range(200):
        *data, value = logged(400, seed)
        found = off_policy_value(*data, estimator=estimator)
        assert isinstance(found, Estimate)
        held.append(found.low <= value <= found.high)
    assert 0.91 <= np.mean(held) <= 0.99


def test_the_target_that_logged_has_the_mean_reward_and_every_decision_counts() -> None:
    action, reward = np.array([0, 1, 1, 0, 1]), np.array([1.0, 0.0, 1.0, 0.0, 1.0])
    policy = np.full((5, 2), 0.5)
    for estimator in ("ips", "snips"):
        found = off_policy_value(action, reward, np.full(5, 0.5), policy, estimator=estimator)
        assert isinstance(found, Estimate)
        assert found.estimate == pytest.approx(0.6)
        assert found.detail("effective_sample_size") == pytest.approx(5.0)


def test_clipping_lowers_the_weights_and_says_so() -> None:
    *data, model, _ = logged(500, 1)
    whole, clipped = off_policy_value(*data, model), off_policy_value(*data, model, clip=1.0)
    assert isinstance(whole, Estimate)
    assert isinstance(clipped, Estimate)
    assert clipped.detail("max_weight") == 1.0
    assert 0.0 < clipped.detail("clipped_share") < 1.0
    assert clipped.detail("effective_sample_size") > whole.detail("effective_sample_size")


@pytest.mark.parametrize("estimator", KNOWN)
def test_too_few_decisions_are_not_estimable(estimator: str) -> None:
    found = off_policy_value([0], [1.0], [0.5], [[0.5, 0.5]], [[0.5, 0.5]], estimator=estimator)
    assert isinstance(found, NotEstimable)


def test_no_overlap_and_no_variance_are_not_estimable() -> None:
    none = off_policy_value([0, 0], [1.0, 0.0], [0.5, 0.5], [[0.0, 1.0]] * 2)
    same = off_policy_value([0, 0], [1.0, 1.0], [0.5, 0.5], [[0.5, 0.5]] * 2)
    assert isinstance(none, NotEstimable)
    assert isinstance(same, NotEstimable)
    assert "overlap" in none.reason


@pytest.mark.parametrize(("change", "words"), [
    ({"logged_probability": [0.0, 0.5]}, "logged_probability"),
    ({"target_policy": [[0.5, 0.6]] * 2}, "sum to 1"),
    ({"action": [0, 2]}, "action"), ({"reward": [1.0]}, "must be"), ({"clip": 0.0}, "clip"),
    ({"estimator": "dr"}, "predicted"), ({"estimator": "dr", "predicted": [[1.0]]}, "shape"),
    ({"estimator": "ipss"}, "did you mean 'ips'"),
])  # fmt: skip
def test_wrong_logs_are_refused(change: dict, words: str) -> None:
    right = {"action": [0, 1], "reward": [1.0, 0.0], "logged_probability": [0.5, 0.5],
             "target_policy": [[0.5, 0.5]] * 2}  # fmt: skip
    with pytest.raises(ValueError, match=words):
        off_policy_value(**{**right, **change})


@given(st.floats(0, 1), st.integers(1, 10**6), st.floats(1.01, 1e9))
def test_kl_ucb_lies_between_the_mean_and_one_and_spends_its_budget(mean: float, n: int, t: float) -> None:
    index = kl_ucb(mean, n, t)
    assert mean <= index <= 1.0
    if mean < index < 1.0 - 1e-12:
        assert n * bernoulli_divergence(mean, index) == pytest.approx(log(t), rel=1e-3, abs=1e-6)


@given(st.floats(0, 1), st.integers(1, 1000), st.integers(2, 10**6))
def test_indices_grow_with_time_and_shrink_with_tries(mean: float, n: int, t: int) -> None:
    for index in (kl_ucb, ucb1):
        assert index(mean, n, 2 * t) >= index(mean, n, t) >= index(mean, 2 * n, t) - 1e-12
    assert bayes_ucb(mean * n, n, 2 * t) >= bayes_ucb(mean * n, n, t)


def test_an_untried_variant_is_tried_first() -> None:
    assert (kl_ucb(0.0, 0, 10), ucb1(0.0, 0, 10)) == (1.0, inf)


@pytest.mark.parametrize("call", [
    lambda: kl_ucb(1.2, 1, 2), lambda: ucb1(0.5, 1, 0.5),
    lambda: bayes_ucb(3, 2, 5), lambda: bayes_ucb(1, 2, 1),
])  # fmt: skip
def test_indices_refuse_what_cannot_be(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match="must be"):
        call()


def test_linear_evidence_adds_up() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    whole = LinearEvidence.from_rows(x, y)
    parts = LinearEvidence.from_rows(x[:11], y[:11]).merge(LinearEvidence.from_rows(x[11:], y[11:]))
    one, other = linucb(whole, x[0]), linucb(parts, x[0])
    assert other.index == pytest.approx(one.index, rel=1e-12)
    ridge = np.linalg.solve(x.T @ x + np.eye(4), x.T @ y)
    assert one.theta == pytest.approx(ridge)
    with pytest.raises(ValueError, match="shape"):
        linucb(whole, [1.0])
    with pytest.raises(ValueError, match="cannot merge"):
        whole.merge(LinearEvidence.from_rows([[1.0]], [1.0]))
    with pytest.raises(ValueError, match="features and rewards"):
        LinearEvidence.from_rows([1.0], [1.0])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(5, 95), min_size=2, max_size=5, unique=True),
    st.sampled_from(["bernoulli", "gaussian"]),
)
def test_the_optimal_shares_make_every_rival_equally_hard(percent: list[int], family: str) -> None:
    means = [each / 100 for each in percent]
    found = optimal_proportions(means, family)
    assert isinstance(found, Proportions)
    assert sum(found.shares) == pytest.approx(1.0)
    n = [1e6 * share for share in found.shares]
    best = means.index(max(means))
    for rival in range(len(means)):
        if rival != best:
            pair = best_arm_stopping([means[best], means[rival]], [n[best], n[rival]], family=family)
            assert isinstance(pair, Verdict)
            assert pair.statistic == pytest.approx(1e6 / found.characteristic_time, rel=1e-4)


def test_a_tie_and_a_single_variant_have_no_proportions() -> None:
    assert isinstance(optimal_proportions([0.5, 0.5, 0.1]), NotEstimable)
    assert isinstance(optimal_proportions([0.5]), NotEstimable)
    assert isinstance(best_arm_stopping([0.5], [10]), NotEstimable)
    assert isinstance(best_arm_stopping([0.5, 0.4], [10, 0]), NotEstimable)
    with pytest.raises(ValueError, match="means"):
        optimal_proportions([0.5, 1.0])
    with pytest.raises(ValueError, match="family"):
        lai_robbins_constant([0.5, 0.4], "poisson")
    with pytest.raises(ValueError, match="empty"):
        lai_robbins_constant([])
    assert lai_robbins_constant([0.5, 0.5]) == 0.0
    assert lai_robbins_constant([1.0, 0.0], "gaussian") == pytest.approx(2.0)
