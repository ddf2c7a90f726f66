"""Does the paired contrast hold two policies' true difference, and refuse what too few rewards decide?"""

from __future__ import annotations

from math import hypot, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.statistics.adaptive.off_policy import KNOWN, Estimator, off_policy_value
from policies.statistics.adaptive.off_policy_contrast import deciding, off_policy_contrast
from policies.statistics.result import Estimate, NotEstimable


def logged(n: int, seed: int) -> tuple[list, tuple[np.ndarray, np.ndarray, np.ndarray], float]:
    """Actions, rewards and their probabilities; a target, a baseline and a model; the true difference."""
    rng = np.random.default_rng(seed)
    context = rng.random(n)
    truth = np.stack([0.2 + 0.3 * context, 0.6 - 0.2 * context, np.full(n, 0.4)], axis=1)
    logging = np.stack([0.2 + 0.4 * context, 0.5 - 0.3 * context, 0.3 - 0.1 * context], axis=1)
    action = (rng.random((n, 1)) > logging.cumsum(axis=1)).sum(axis=1)
    reward = (rng.random(n) < truth[np.arange(n), action]).astype(float)
    target = np.stack([context, (1 - context) / 2, (1 - context) / 2], axis=1)
    even = np.full((n, 3), 1 / 3)
    of_target = 0.2 / 2 + 0.3 / 3 + 0.5 * (0.6 / 2 - 0.2 / 6) + 0.5 * 0.4 / 2
    of_even = (0.35 + 0.5 + 0.4) / 3
    known = [action, reward, logging[np.arange(n), action]]
    return known, (target, even, truth + 0.1), of_target - of_even


@pytest.mark.parametrize("estimator", ["ips", "snips", "dr", "sndr"])
def test_intervals_hold_the_true_difference(estimator: Estimator) -> None:
    held = []
    for seed in range(200):
        known, policies, true = logged(400, seed)
        found = off_policy_contrast(*known, *policies, estimator=estimator)
        assert isinstance(found, Estimate)
        held.append(found.low <= true <= found.high)
    assert 0.91 <= np.mean(held) <= 0.99


@pytest.mark.parametrize("estimator", KNOWN)
def test_it_is_the_difference_of_the_values_and_surer_than_they_are(estimator: Estimator) -> None:
    known, (target, even, model), _ = logged(1000, 1)
    found = off_policy_contrast(*known, target, even, model, estimator=estimator)
    turned = off_policy_contrast(*known, even, target, model, estimator=estimator)
    of_target = off_policy_value(*known, target, model, estimator=estimator)
    of_even = off_policy_value(*known, even, model, estimator=estimator)
    for each in (found, turned, of_target, of_even):
        assert isinstance(each, Estimate)
    assert found.estimate == pytest.approx(of_target.estimate - of_even.estimate)
    assert found.standard_error < hypot(of_target.standard_error, of_even.standard_error)
    assert (turned.estimate, turned.standard_error) == pytest.approx((-found.estimate, found.standard_error))
    assert found.detail("effective_sample_size") == of_target.detail("effective_sample_size")


@pytest.mark.parametrize("estimator", ["ips", "snips", "dr", "sndr"])
def test_the_standard_error_is_that_of_leaving_each_decision_out(estimator: Estimator) -> None:
    known, policies, _ = logged(400, 2)
    found = off_policy_contrast(*known, *policies, estimator=estimator)
    assert isinstance(found, Estimate)
    without = []
    for left_out in range(400):
        some = [np.delete(each, left_out, axis=0) for each in (*known, *policies)]
        one = off_policy_contrast(*some, estimator=estimator)
        assert isinstance(one, Estimate)
        without.append(one.estimate)
    assert found.standard_error == pytest.approx(sqrt(399) * np.std(without), rel=0.01)


def rare(actions: int, shown: int, seed: int, least: float) -> Estimate | NotEstimable:
    """The contrast of ``shown`` of all actions, evenly, with all: rewards 0.38 %, whatever the action."""
    rng = np.random.default_rng(seed)
    n = 10_000
    target = np.tile(np.where(np.arange(actions) < shown, 1 / shown, 0.0), (n, 1))
    action, reward = rng.integers(0, actions, n), (rng.random(n) < 0.0038).astype(float)
    chance = np.full(n, 1 / actions)
    return off_policy_contrast(action, reward, chance, target, np.full(target.shape, chance[0]), least=least)


def test_what_too_few_rewards_decide_is_refused_as_its_interval_would_be_wrong() -> None:
    wrong = 0
    for seed in range(60):
        refused, shown = rare(80, 1, seed, 10.0), rare(80, 1, seed, 0.0)
        assert isinstance(refused, NotEstimable)
        assert "rewarded decisions tell the policies apart, 10 are needed" in refused.reason
        assert isinstance(shown, Estimate)
        wrong += not shown.low <= 0.0 <= shown.high
    assert wrong > 0.4 * 60


def test_where_enough_decide_the_interval_of_rare_rewards_holds() -> None:
    held = []
    for seed in range(100):
        found = rare(16, 4, seed, 10.0)
        assert isinstance(found, Estimate)
        held.append(found.low <= 0.0 <= found.high)
    assert 0.88 <= np.mean(held) <= 0.99


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.floats(0.01, 1e6), st.data())
def test_what_decides_keeps_to_scale_and_to_which_reward_is_called_one(
    weights: list[float], scale: float, data: st.DataObject
) -> None:
    reward = np.array(
        data.draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=len(weights), max_size=len(weights)))
    )
    found = deciding(np.array(weights), reward)
    assert 0.0 <= found <= len(weights) / 2 + 1e-9
    assert deciding(scale * np.array(weights), reward) == pytest.approx(found)
    assert deciding(np.array(weights), 1.0 - reward) == found


def test_policies_that_are_the_same_have_no_contrast() -> None:
    known, (target, _, model), _ = logged(100, 3)
    for estimator in KNOWN:
        found = off_policy_contrast(*known, target, target + 1e-16, model, estimator=estimator)
        assert isinstance(found, NotEstimable)
        assert found.reason == "the policies are the same"


def test_what_one_value_lacks_the_contrast_lacks() -> None:
    one, other = [[1.0, 0.0]] * 4, [[0.0, 1.0]] * 4
    for pair in ((one, other), (other, one)):
        found = off_policy_contrast([0] * 4, [1.0, 0.0] * 2, [0.5] * 4, *pair)
        assert isinstance(found, NotEstimable)
        assert "overlap" in found.reason


@pytest.mark.parametrize(("change", "words"), [
    ({"baseline_policy": [[1.0, 0.0, 0.0]] * 4}, "baseline_policy must have the shape"),
    ({"baseline_policy": [[0.5, 0.6]] * 4}, "sum to 1"), ({"least": -1.0}, "least"),
    ({"alpha": 1.0}, "alpha"), ({"estimator": "drr"}, "did you mean 'dr'"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(change: dict, words: str) -> None:
    right = {"action": [0, 1, 0, 1], "reward": [1.0, 0.0, 0.0, 1.0], "logged_probability": [0.5] * 4,
             "target_policy": [[0.3, 0.7]] * 4, "baseline_policy": [[0.5, 0.5]] * 4}  # fmt: skip
    with pytest.raises(ValueError, match=words):
        off_policy_contrast(**{**right, **change})


def test_no_weights_decide_nothing() -> None:
    with pytest.raises(ValueError, match="empty"):
        deciding(np.array([]), np.array([]))
    assert deciding(np.zeros(3), np.array([0.0, 1.0, 0.0])) == 0.0
