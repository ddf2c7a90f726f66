"""Does adjusting take out the covariate's noise and nothing else?"""

from __future__ import annotations

import numpy as np
import pytest

from policies.statistics.adjustment.ancova import ancova
from policies.statistics.adjustment.cuped import cuped, cuped_ratio
from policies.statistics.difference.means import welch
from policies.statistics.evidence import Moments


def draw(rng: np.random.Generator, n: int, effect: float = 0.0) -> np.ndarray:
    x = rng.normal(50.0, 10.0, n)
    return np.column_stack([x * 0.8 + rng.normal(0.0, 6.0, n) + effect, x])


def test_variance_falls_by_the_squared_correlation_and_the_level_holds() -> None:
    rng, runs, n = np.random.default_rng(4), 2000, 80
    rejected, reductions = 0, []
    for _ in range(runs):
        a, b = (Moments.from_values(draw(rng, n)) for _ in range(2))
        result = cuped(a, b)
        rejected += result.p_value < 0.05
        reductions.append(result.detail("variance_reduction"))
    assert 0.04 < rejected / runs < 0.062
    assert np.mean(reductions) == pytest.approx(64.0 / 100.0, abs=0.02)


def test_cuped_is_welch_on_adjusted_rows() -> None:
    rng = np.random.default_rng(5)
    a, b = draw(rng, 40), draw(rng, 45, 3.0)
    both = np.concatenate([a, b])
    theta = np.cov(both.T)[0, 1] / np.var(both[:, 1], ddof=1)
    rows = [each[:, 0] - theta * (each[:, 1] - both[:, 1].mean()) for each in (a, b)]
    expected = welch(*(Moments.from_values(row) for row in rows))
    result = cuped(Moments.from_values(a), Moments.from_values(b))
    assert (result.estimate, result.low, result.high) == pytest.approx(
        (expected.estimate, expected.low, expected.high)
    )


def test_cuped_of_ratios_with_one_request_a_unit_is_cuped() -> None:
    rng = np.random.default_rng(6)
    a, b = draw(rng, 40), draw(rng, 45, 3.0)
    ones = [
        np.column_stack([each[:, 0], np.ones(len(each)), each[:, 1], np.ones(len(each))]) for each in (a, b)
    ]
    ratio, plain = cuped_ratio(*(Moments.from_values(each) for each in ones)), cuped(
        Moments.from_values(a), Moments.from_values(b)
    )  # fmt: skip
    assert (ratio.estimate, ratio.low, ratio.p_value) == pytest.approx(
        (plain.estimate, plain.low, plain.p_value)
    )


def test_ancova_and_cuped_agree_in_large_samples() -> None:
    rng = np.random.default_rng(7)
    a, b = draw(rng, 4000), draw(rng, 4000, 1.0)
    regression = ancova(a[:, 0], a[:, 1], b[:, 0], b[:, 1])
    adjusted = cuped(Moments.from_values(a), Moments.from_values(b))
    assert regression.estimate == pytest.approx(adjusted.estimate, abs=0.01)
    assert regression.standard_error == pytest.approx(adjusted.standard_error, rel=0.02)
    far = ancova(a[:, 0], a[:, 1] + 1e7, b[:, 0], b[:, 1] + 1e7)
    assert far.standard_error == pytest.approx(regression.standard_error, rel=1e-6)
