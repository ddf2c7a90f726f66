"""Are the chances to be the best, and the second best, those of independent quadratures?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.bandit.chances import of_betas, of_normals
from policies.statistics.bayes.beta import beta_posterior
from policies.statistics.bayes.thompson import probabilities_second, thompson_weights

counts = st.lists(
    st.tuples(st.integers(0, 100_000), st.floats(0, 1)).map(lambda pair: (pair[0], int(pair[0] * pair[1]))),
    min_size=2,
    max_size=6,
)
posteriors = st.lists(st.tuples(st.floats(-5, 5), st.floats(1e-4, 1e2)), min_size=2, max_size=6)


@settings(max_examples=30)
@given(counts)
def test_betas_agree_with_the_posterior_of_the_statistics(seen: list[tuple[int, int]]) -> None:
    trials, wins = zip(*seen, strict=True)
    expected = beta_posterior(wins, trials)
    found = of_betas(np.array(wins) + 1.0, np.array(trials) - np.array(wins) + 1.0)
    assert found.best.tolist() == pytest.approx(list(expected.probability_best), abs=1e-9)


@settings(max_examples=30)
@given(posteriors)
def test_normals_agree_with_the_thompson_weights(seen: list[tuple[float, float]]) -> None:
    means, deviations = zip(*seen, strict=True)
    found = of_normals(np.array(means), np.array(deviations))
    assert found.best.tolist() == pytest.approx(list(thompson_weights(means, deviations)), abs=1e-8)
    assert found.second.tolist() == pytest.approx(list(probabilities_second(means, deviations)), abs=1e-8)


def test_many_posteriors_at_once_are_the_same_as_one_by_one() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.uniform(1, 500, (2, 4, 3))
    together = of_betas(a, b)
    for row in range(4):
        assert together.best[row] == pytest.approx(of_betas(a[row], b[row]).best, abs=1e-12)


def test_they_are_the_shares_of_draws_from_the_posteriors() -> None:
    a, b = np.array([12.0, 20.0, 3.0]), np.array([30.0, 40.0, 5.0])
    draws = np.random.default_rng(4).beta(a, b, (200_000, 3))
    first = np.bincount(draws.argmax(axis=1), minlength=3) / len(draws)
    second = np.bincount(draws.argsort(axis=1)[:, 1], minlength=3) / len(draws)
    assert of_betas(a, b).best == pytest.approx(first, abs=0.005)
    assert of_betas(a, b).second == pytest.approx(second, abs=0.005)
