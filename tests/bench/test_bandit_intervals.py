"""Is a bandit's simulated share judged by its band, and a number that is only shown by nothing?"""

from __future__ import annotations

import pytest

from bench.simulations.bandit_intervals import IntervalRow


@pytest.mark.parametrize("measured", [-0.002, 0.0, 0.3, 1.7])
def test_what_is_only_shown_is_never_outside(measured: float) -> None:
    assert IntervalRow("a world", "mean estimate less the truth", measured, 100).inside


@pytest.mark.parametrize(("measured", "inside"), [(0.95, True), (0.93, True), (0.92, False), (0.985, False)])
def test_a_share_may_be_two_standard_errors_outside_its_band(measured: float, inside: bool) -> None:
    assert IntervalRow("a world", "covers", measured, 1500, (0.94, 0.96)).inside == inside
