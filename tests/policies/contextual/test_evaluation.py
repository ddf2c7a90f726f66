"""Do the values of alternatives cover what those would truly have earned?"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from policies.contextual.evaluation import Decisions, evaluate
from policies.statistics.result import Estimate, NotEstimable

RULE = {"choice": "thompson", "floor": 0.05, "exploration": 1.0}
TRUE = {"a": (0.1, 0.4), "b": (0.5, -0.4)}  # by features (1, x): a is better above x = 1/2, b below


def logged(seed: int, count: int = 3000) -> Decisions:
    """Decisions of a policy that leans to b where x is small, with known probabilities."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(count), rng.random(count)])
    to_b = np.where(x[:, 1] < 0.5, 0.7, 0.4)
    chosen = (rng.random(count) < to_b).astype(np.int64)
    means = x @ np.array([TRUE["a"], TRUE["b"]]).T
    reward = (rng.random(count) < means[np.arange(count), chosen]).astype(float)
    return Decisions(("a", "b"), x, chosen, np.where(chosen == 1, to_b, 1 - to_b), reward)


def test_values_cover_the_truth_and_the_learnt_policy_beats_the_rest() -> None:
    covered: Counter[tuple[str, str]] = Counter()
    better = 0
    runs = 40
    truth = {"only-a": 0.3, "only-b": 0.3, "even": 0.3}
    for seed in range(runs):
        valued = {each.name: each for each in evaluate(logged(seed), RULE, sign=1, l2=1.0)}
        values = {name: each.values for name, each in valued.items()}
        for name, true in truth.items():
            for estimator, found in values[name].items():
                assert isinstance(found, Estimate)
                covered[name, estimator] += found.low <= true <= found.high
        for name in ("only-a", "only-b"):
            for estimator, found in valued[name].over_even.items():
                assert isinstance(found, Estimate)
                covered[f"{name} over even", estimator] += found.low <= 0.0 <= found.high
        assert all(isinstance(each, NotEstimable) for each in valued["even"].over_even.values())
        more = valued["learnt"].over_even["dr"]
        assert isinstance(more, Estimate)
        learnt, even = values["learnt"]["dr"], values["even"]["dr"]
        assert isinstance(learnt, Estimate)
        assert isinstance(even, Estimate)
        assert more.estimate == pytest.approx(learnt.estimate - even.estimate)
        assert more.low > 0.0 or not learnt.low > even.high
        better += more.low > 0.0
    assert min(covered.values()) >= 0.85 * runs
    assert better >= 0.95 * runs


def test_less_is_better_learns_the_other_way() -> None:
    values = {each.name: each.values["dr"] for each in evaluate(logged(1), RULE, sign=-1, l2=1.0)}
    learnt, even = values["learnt"], values["even"]
    assert isinstance(learnt, Estimate)
    assert isinstance(even, Estimate)
    assert learnt.high < even.low
    less = next(each for each in evaluate(logged(1), RULE, sign=-1, l2=1.0) if each.name == "learnt")
    difference = less.over_even["dr"]
    assert isinstance(difference, Estimate)
    assert difference.high < 0.0


def test_the_order_of_the_variants_is_kept() -> None:
    one = logged(2)
    turned = Decisions(("b", "a"), one.features, 1 - one.chosen, one.propensity, one.reward)
    first = {each.name: each.values["snips"] for each in evaluate(one, RULE, sign=1, l2=1.0)}
    second = {each.name: each.values["snips"] for each in evaluate(turned, RULE, sign=1, l2=1.0)}
    for name, found in first.items():
        other = second[name]
        assert isinstance(found, Estimate)
        assert isinstance(other, Estimate)
        assert other.estimate == pytest.approx(found.estimate)
