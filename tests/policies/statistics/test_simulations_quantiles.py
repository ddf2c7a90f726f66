"""Does a latency quantile's interval hold the truth when a user sends ten requests?"""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

coverage = runpy.run_path(
    str(Path(__file__).parents[3] / "bench" / "simulations" / "quantiles.py")
)["coverage"]  # fmt: skip


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_the_clustered_interval_covers_where_the_naive_one_fails(q: float) -> None:
    found = coverage(300, seed=1, q=q)
    assert found.clustered >= 0.93
    assert found.difference >= 0.93
    assert found.naive <= 0.8


def test_few_users_are_covered_too() -> None:
    assert coverage(300, seed=2, q=0.9, users=100).clustered >= 0.93


def test_one_request_a_user_is_covered_by_both() -> None:
    found = coverage(300, seed=3, q=0.9, users=2000, requests=1)
    assert found.clustered >= 0.93
    assert found.naive >= 0.92


def test_a_median_that_is_slower_by_a_half_is_found() -> None:
    assert coverage(100, seed=4, q=0.5, shift=0.5).difference_detected >= 0.95
