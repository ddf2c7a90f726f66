"""Does the sequential sample ratio test keep its laws?"""

from __future__ import annotations

from math import exp, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from policies.statistics.always_valid.sequential_multinomial import (
    log_bayes_factor,
    log_bayes_factor_above,
    sequential_multinomial,
)
from policies.statistics.result import NotEstimable
from policies.statistics.result import Test as Verdict

COUNTS = st.integers(0, 10**6)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.93])
@pytest.mark.parametrize("n", [1, 7, 60])
def test_the_multinomial_e_value_has_mean_one_under_equal_rates(share: float, n: int) -> None:
    events = np.arange(n + 1)
    chance = binom.pmf(events, n, share)
    values = [exp(log_bayes_factor([n - k, k], [1 - share, share], 30.0)) for k in events]
    assert chance @ values == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("truth", [0.3, 0.2, 0.05])
def test_the_one_sided_e_value_has_mean_at_most_one_at_or_below_the_share(truth: float) -> None:
    events = np.arange(41)
    values = [exp(log_bayes_factor_above((40 - k, k), (0.7, 0.3), 30.0)) for k in events]
    mean = binom.pmf(events, 40, truth) @ values
    assert mean <= 1.0 + 1e-9
    assert (mean > 1.0 - 1e-9) == (truth == 0.3)


@given(st.lists(st.tuples(COUNTS, st.floats(0.01, 1.0)), min_size=2, max_size=5))
def test_the_order_of_variants_does_not_matter(variants: list[tuple[int, float]]) -> None:
    def evidence(each: list[tuple[int, float]]) -> float:
        return log_bayes_factor([count for count, _ in each], [share for _, share in each], 100.0)

    scale = max(1.0, sum(count for count, _ in variants))
    assert evidence(variants) == pytest.approx(evidence(variants[::-1]), abs=1e-9 * scale)


def test_epochs_multiply_and_a_paused_variant_does_not_count() -> None:
    both = sequential_multinomial([[30, 52, 0], [11, 9, 4]], [[0.5, 0.5, 0.0], [0.4, 0.4, 0.2]])
    one = sequential_multinomial([[30, 52]], [[0.5, 0.5]])
    other = sequential_multinomial([[11, 9, 4]], [[0.4, 0.4, 0.2]])
    assert isinstance(both, Verdict)
    assert isinstance(one, Verdict)
    assert isinstance(other, Verdict)
    assert both.statistic == pytest.approx(one.statistic + other.statistic)
    assert both.detail("epochs") == 2


def test_a_canary_with_far_more_errors_is_seen_and_one_with_fewer_is_not_blamed() -> None:
    worse = sequential_multinomial([[900, 300]], [[0.9, 0.1]], sides=1)
    better = sequential_multinomial([[990, 10]], [[0.9, 0.1]], sides=1)
    assert isinstance(worse, Verdict)
    assert isinstance(better, Verdict)
    assert worse.p_value is not None
    assert worse.p_value < 1e-20
    assert better.p_value == 1.0


def test_a_very_large_count_neither_overflows_nor_loses_its_sign() -> None:
    found = sequential_multinomial([[10**9, 2 * 10**9]], [[0.5, 0.5]], sides=1)
    assert isinstance(found, Verdict)
    assert found.log_e_value is not None
    assert 1e7 < found.log_e_value < inf


@pytest.mark.parametrize(("counts", "shares", "reason"), [
    ([[0, 0]], [[0.5, 0.5]], "no event"), ([[5, 0]], [[1.0, 0.0]], "no epoch"), ([], [], "no epoch")
])  # fmt: skip
def test_no_event_and_no_second_variant_are_not_estimable(counts: list, shares: list, reason: str) -> None:
    found = sequential_multinomial(counts, shares)
    assert isinstance(found, NotEstimable)
    assert reason in found.reason


@pytest.mark.parametrize(("counts", "shares", "words"), [
    ([[1, 2]], [[1.0, 0.0]], "share 0"), ([[-1, 2]], [[0.5, 0.5]], "count"),
    ([[1]], [[0.5, 0.5]], "variants"),
    ([[1, 2]], [], "epochs"), ([[1, 2]], [[-0.5, 1.5]], "share"),
])  # fmt: skip
def test_counts_that_do_not_fit_are_refused(counts: list, shares: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sequential_multinomial(counts, shares)


def test_one_side_of_three_variants_is_refused() -> None:
    with pytest.raises(ValueError, match="compares two variants, got 3"):
        sequential_multinomial([[1, 2, 3]], [[0.4, 0.3, 0.3]], sides=1)
