"""Are the probabilities those of linear Thompson sampling and LinUCB, and always usable ones?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contextual.learning import learn
from policies.contextual.scoring import Scorer, largest_index, probability_best
from policies.statistics.adaptive.linucb import LinearEvidence, linucb
from policies.statistics.bayes.thompson import thompson_weights
from policies.statistics.observed import ObservedLinear

normals = st.lists(st.tuples(st.floats(-5, 5), st.floats(0.02, 20)), min_size=1, max_size=7).map(
    lambda pairs: tuple(map(list, zip(*pairs, strict=True)))
)


@given(normals)
def test_probabilities_to_be_best_are_those_by_quadrature(arms: Any) -> None:
    means, spreads = arms
    found = probability_best(means, spreads)
    assert sum(found) == pytest.approx(1.0)
    assert found == pytest.approx(thompson_weights(means, spreads), abs=0.01)


@pytest.mark.parametrize("count", [3, 4, 80])
def test_so_they_are_for_many_variants_and_in_any_order(count: int) -> None:
    rng = np.random.default_rng(count)
    means, spreads = rng.normal(size=count), rng.uniform(0.5, 1.5, count)
    found = probability_best(means.tolist(), spreads.tolist())
    assert found == pytest.approx(thompson_weights(means.tolist(), spreads.tolist()), abs=0.01)
    order = rng.permutation(count)
    turned = probability_best(means[order].tolist(), spreads[order].tolist())
    assert turned == pytest.approx(np.array(found)[order], abs=1e-12)


def test_a_known_best_takes_all() -> None:
    assert probability_best([0.0, 100.0, 1.0], [1.0, 1.0, 1.0]) == [0.0, 1.0, 0.0]
    assert probability_best([0.0, 1.0], [0.0, 0.0]) == [0.0, 1.0]
    assert probability_best([3.0], [1.0]) == [1.0]


def evidence(rng: np.random.Generator, dimension: int) -> LinearEvidence:
    x = np.hstack([np.ones((60, 1)), rng.random((60, dimension - 1))])
    return LinearEvidence.from_rows(x, rng.normal(size=60) + x @ rng.normal(size=dimension))


def observed(each: LinearEvidence) -> ObservedLinear:
    return ObservedLinear(60.0, tuple(map(tuple, each.gram.tolist())), tuple(each.moment.tolist()), 100.0)


@pytest.mark.parametrize("seed", range(5))
def test_linucb_gives_all_but_the_floor_to_the_largest_index(seed: int) -> None:
    rng = np.random.default_rng(seed)
    known = {name: evidence(rng, 4) for name in ("a", "b", "c")}
    arms, _ = learn({name: observed(each) for name, each in known.items()}, list(known), 4, sign=1, l2=1.0)
    rule = {"choice": "ucb", "floor": 0.03, "scale": 0.7, "arms": arms}
    scorer = Scorer(rule, dict.fromkeys(known, 1.0))
    for x in rng.random((20, 4)):
        indices = {name: linucb(each, x, alpha=0.7).index for name, each in known.items()}
        best = max(indices, key=lambda name: indices[name])
        chances = dict(zip(scorer.names, scorer.probabilities(x.tolist()), strict=True))
        assert chances[best] == pytest.approx(0.98)
        assert sorted(chances.values())[:2] == pytest.approx([0.01, 0.01])


@pytest.mark.parametrize("seed", range(3))
def test_thompson_probabilities_are_those_of_drawing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    known = {name: evidence(rng, 3) for name in ("a", "b", "c")}
    arms, _ = learn({name: observed(each) for name, each in known.items()}, list(known), 3, sign=1, l2=1.0)
    scorer = Scorer(
        {"choice": "thompson", "floor": 0.03, "scale": 2.0, "arms": arms}, dict.fromkeys(known, 1.0)
    )
    x = np.array([1.0, 0.3, 0.8])
    draws = []
    for name in scorer.names:
        ridge = known[name].gram + np.eye(3)
        theta = np.linalg.solve(ridge, known[name].moment)
        draws.append(rng.multivariate_normal(theta, 4.0 * np.linalg.inv(ridge), 40_000) @ x)
    drawn = np.bincount(np.argmax(draws, axis=0), minlength=3) / 40_000
    assert scorer.probabilities(x.tolist()) == pytest.approx(0.01 + 0.97 * drawn, abs=0.012)


def test_less_is_better_turns_the_choice() -> None:
    rng = np.random.default_rng(3)
    known = {name: observed(evidence(rng, 2)) for name in ("a", "b")}
    chances = []
    for sign in (1, -1):
        arms, _ = learn(known, ["a", "b"], 2, sign=sign, l2=1.0)
        scorer = Scorer(
            {"choice": "thompson", "floor": 0.1, "scale": 1.0, "arms": arms}, {"a": 1.0, "b": 1.0}
        )
        chances.append(scorer.probabilities([1.0, 0.5]))
    assert chances[0] == pytest.approx(chances[1][::-1])


def test_before_anything_is_learnt_the_weights_are_the_probabilities() -> None:
    rule = {"choice": "thompson", "floor": 0.05, "scale": 1.0, "arms": {}}
    scorer = Scorer(rule, {"b": 30.0, "a": 10.0, "paused": 0.0})
    assert (scorer.names, scorer.probabilities([1.0])) == (("a", "b"), [0.25, 0.75])


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 5)), min_size=1, max_size=6))
def test_the_largest_index_is_shared_by_those_that_have_it(arms: list[tuple[float, float]]) -> None:
    chances = largest_index([mean for mean, _ in arms], [width for _, width in arms])
    best = max(mean + width for mean, width in arms)
    assert sum(chances) == pytest.approx(1.0)
    assert all(
        (chance > 0) == (mean + width == best) for chance, (mean, width) in zip(chances, arms, strict=True)
    )
