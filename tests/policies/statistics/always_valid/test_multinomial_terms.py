"""Do Bayes factors of counts keep their digits at any size, and one-sided ones a way back?

Numbers marked "mpmath" were computed there with 60 digits from the definition: log gammas, or
``y**b x**a / (b B(a, b)) 2F1(a + b, 1; b + 1; y)`` with y = 1 - x for the tail of a Beta.
"""

from __future__ import annotations

from itertools import pairwise
from math import inf, isfinite, lgamma, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.statistics.always_valid.multinomial_terms import log_beta_tail, log_dirichlet_multinomial
from policies.statistics.always_valid.sequential_multinomial import (
    log_bayes_factor,
    log_bayes_factor_above,
    sequential_multinomial,
)


@pytest.mark.parametrize(
    ("counts", "shares", "k", "expected"),
    [
        ((530, 470), (0.5, 0.5), 100, 0.4374464264419728),
        ((5, 0), (0.875, 0.125), 100, 0.013842353283601113),
        ((3, 1), (0.5, 0.5), 0.01, -4.328269354283566),
        ((10, 12, 30), (0.25, 0.25, 0.5), 100, -0.15387196243607706),
        ((50_700, 49_300), (0.5, 0.5), 1e4, 7.710442080702996),
        ((5e11 + 1e6, 5e11 - 1e6), (0.5, 0.5), 1e4, -7.210365396972557),
        ((1e15, 1e15), (0.5, 0.5), 1e4, -13.010816601749681),
        ((0, 10**9), (0.5, 0.5), 100, 693146358.9651111),
    ],
)
def test_bayes_factor_of_mpmath(
    counts: tuple[float, ...], shares: tuple[float, ...], k: float, expected: float
) -> None:
    assert log_dirichlet_multinomial(counts, shares, k) == pytest.approx(expected, rel=1e-13)
    assert log_bayes_factor(counts, shares, k) == pytest.approx(expected, rel=1e-13)


@given(
    counts=st.lists(st.integers(0, 300), min_size=2, max_size=5),
    k=st.floats(0.5, 500.0),
    seed=st.lists(st.floats(0.1, 1.0), min_size=5, max_size=5),
)
@settings(deadline=None)
def test_small_counts_by_the_definition(counts: list[int], k: float, seed: list[float]) -> None:
    raw = seed[: len(counts)]
    shares = [each / sum(raw) for each in raw]
    direct = lgamma(k) - lgamma(k + sum(counts))
    for count, share in zip(counts, shares, strict=True):
        direct += lgamma(k * share + count) - lgamma(k * share) - count * log(share)
    assert log_dirichlet_multinomial(counts, shares, k) == pytest.approx(direct, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "x", "expected"),
    [(150, 10_050, 0.5, -6295.212304799595), (50, 1e6, 0.5, -692648.749224418), (2, 1, 0.5, log(0.75))],
)
def test_tail_of_mpmath(a: float, b: float, x: float, expected: float) -> None:
    assert log_beta_tail(a, b, x) == pytest.approx(expected, rel=1e-13)


def test_the_tail_goes_on_smoothly_where_it_underflows() -> None:
    # Just before and just after the change of formula: the slope per failure must not jump.
    values = [log_beta_tail(100, b, 0.5) for b in range(1330, 1460)]
    steps = [later - before for before, later in pairwise(values)]
    assert values[0] > log(1e-290) > values[-1]
    assert all(abs(later / before - 1.0) < 1e-3 for before, later in pairwise(steps))


@pytest.mark.parametrize("sound", [(10_000, 100), (5 * 10**11, 10**6), (10**12, 10**12 - 2 * 10**8)])
def test_a_canary_that_was_far_better_once_is_still_called_when_it_fails(sound: tuple[int, int]) -> None:
    alone = log_bayes_factor_above(sound, (0.5, 0.5), 100)
    assert -40.0 < alone < 0.0
    found = sequential_multinomial([sound, (100, 10_000)], [(0.5, 0.5)] * 2, sides=1)
    assert isfinite(found.log_e_value)
    assert found.p_value < 1e-100


def test_one_sided_needs_both_shares() -> None:
    for shares in ((1.0, 0.0), (0.0, 0.0)):
        with pytest.raises(ValueError, match="shares must both be above 0"):
            log_bayes_factor_above((0, 0), shares, 100)
    assert log_bayes_factor((0, 0), (0.0, 0.0), 100) == 0.0
    assert log_dirichlet_multinomial((0.0, 1e20), (0.5, 0.5), 1.0) < inf
