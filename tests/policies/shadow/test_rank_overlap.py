"""Is the agreement of rankings the published measure?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.shadow.rank_overlap import rank_overlap

RANKINGS = st.lists(st.integers(0, 12), max_size=12, unique=True)


def by_definition(one: list[int], other: list[int], p: float) -> float:
    """Equation 32 of the paper, term by term."""
    short, long = sorted((one, other), key=len)
    s, n = len(short), len(long)

    def overlap(depth: int) -> int:
        return len(set(short[:depth]) & set(long[:depth]))

    first = sum(overlap(d) / d * p**d for d in range(1, n + 1))
    second = sum(overlap(s) * (d - s) / (s * d) * p**d for d in range(s + 1, n + 1))
    return (1 - p) / p * (first + second) + ((overlap(n) - overlap(s)) / n + overlap(s) / s) * p**n


@given(RANKINGS.filter(bool), RANKINGS.filter(bool), st.floats(0.5, 0.98))
def test_it_is_equation_32(one: list[int], other: list[int], p: float) -> None:
    assert rank_overlap(one, other, p) == pytest.approx(min(1.0, by_definition(one, other, p)))


@given(RANKINGS, RANKINGS)
def test_it_is_symmetric_and_bounded(one: list[int], other: list[int]) -> None:
    assert rank_overlap(one, other) == rank_overlap(other, one)
    assert 0 <= rank_overlap(one, other) <= 1


@given(RANKINGS)
def test_a_ranking_agrees_with_itself(one: list[int]) -> None:
    assert rank_overlap(one, list(one)) == pytest.approx(1)


def test_the_top_matters_most() -> None:
    top, bottom = rank_overlap([1, 2, 3, 4], [2, 1, 3, 4]), rank_overlap([1, 2, 3, 4], [1, 2, 4, 3])
    assert top < bottom < 1


def test_nothing_in_common_and_nothing_at_all() -> None:
    assert rank_overlap([1, 2], [3, 4]) == 0
    assert rank_overlap([], []) == 1
    assert rank_overlap([], [1]) == 0


def test_items_may_be_any_json() -> None:
    assert rank_overlap([{"a": 1, "b": 2}, [1]], [{"b": 2, "a": 1}, [1]]) == pytest.approx(1)
    assert rank_overlap([1, 0], [True, False]) == 0
    assert rank_overlap(["a", "a", "b"], ["a", "b"]) == pytest.approx(1)
