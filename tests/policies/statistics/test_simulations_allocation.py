"""Do tests hold their error when a bandit has split the traffic and the baseline drifts?"""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from policies.statistics.bayes.thompson import thompson_weights

_bandit = runpy.run_path(str(Path(__file__).parents[3] / "bench" / "simulations" / "bandit.py"))
World, once, every = _bandit["World"], _bandit["looked_at_once"], _bandit["looked_at_every_batch"]


def test_under_drift_batched_ols_holds_where_the_pooled_test_fails() -> None:
    found = once(2000, seed=1)
    assert 0.04 <= found.batched_ols <= 0.06
    assert found.stratified_by_traffic <= 0.06
    assert found.pooled >= 0.1


def test_under_drift_a_look_per_batch_holds_where_the_pooled_sequence_fails() -> None:
    found = every(600, seed=2)
    assert found.sequential_batched_ols <= 0.03
    assert found.stratified_cmh <= 0.03
    assert found.pooled >= 0.1


def test_without_drift_all_but_the_pooled_fixed_test_hold() -> None:
    steady = World(drift=False)
    assert once(1000, seed=3, world=steady).batched_ols == pytest.approx(0.05, abs=0.015)
    assert every(300, seed=4, world=steady).sequential_batched_ols <= 0.03


def test_a_true_effect_is_found() -> None:
    found = every(200, seed=5, world=World(effect=0.1))
    assert found.sequential_batched_ols >= 0.3
    assert found.stratified_cmh >= 0.25


def test_the_simulated_bandit_follows_the_products_weights() -> None:
    wins, trials = _bandit["simulated"](3000, 6, World(batches=2, drift=False))
    a, b = wins[0, 0] + 1.0, (trials - wins)[0, 0] + 1.0
    same = (wins[:, 0] == wins[0, 0]).all(axis=1) & (trials[:, 0] == trials[0, 0]).all(axis=1)
    mean = a / (a + b)
    spread = np.sqrt(mean * (1 - mean) / (a + b + 1))
    weight = thompson_weights(mean.tolist(), spread.tolist(), floor=0.05)[1]
    assert trials[same, 1, 1].mean() / 100 == pytest.approx(weight, abs=0.05)
    assert (trials.sum(axis=2) == 100).all()
