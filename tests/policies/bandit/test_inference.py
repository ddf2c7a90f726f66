"""Are the batched intervals those of the statistics, and do they hold when the policy made the weights?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.simulations.bandit_intervals import held, right_arm
from bench.simulations.bandit_runs import per_request, run, steady
from policies.bandit.cells import Cells
from policies.bandit.inference import against_control
from policies.statistics.evidence import Moments
from policies.statistics.kernel import wald
from policies.statistics.means import Mean
from policies.statistics.result import Estimate
from tests.policies.bandit.worlds import bandit, planned, rates

cell = st.tuples(st.integers(0, 60), st.floats(0, 1)).map(lambda pair: (int(pair[0] * pair[1]), pair[0]))


@settings(max_examples=50)
@given(cell, cell)
def test_of_one_epoch_they_are_those_of_two_means(one: tuple[int, int], other: tuple[int, int]) -> None:
    shown = planned(bandit(guardrails=()), rates([one, other])).findings["batched_ols"]["b"]
    a, b = (Mean.of(Moments.from_successes(*pair)) for pair in (one, other))
    expected = wald("two means", b.value - a.value, a.variance + b.variance, 0.05)
    if not isinstance(expected, Estimate):
        assert shown["estimate"] is None or min(one[1], other[1]) < 2
        return
    for name in ("estimate", "low", "high", "p_value"):
        assert shown[name] == pytest.approx(getattr(expected, name), rel=1e-6, abs=1e-9)


def test_they_cover_where_the_arm_with_less_traffic_varies_more() -> None:
    rng = np.random.default_rng(1)
    rate, runs = np.array([0.8966, 0.9867]), 600
    count = np.array([[160, 160]] + [[20, 380]] * 7)
    covered = 0
    for _ in range(runs):
        mean = rng.binomial(count, rate) / count
        spread, closed = mean * (1.0 - mean), np.ones(len(count), bool)
        cells = Cells(count.astype(float), mean, spread, count.astype(float), closed)
        found = against_control(cells, ["champion", "strong"], "champion", binary=True)["strong"]
        covered += found["low"] <= rate[1] - rate[0] <= found["high"]
    assert 0.92 <= covered / runs <= 0.98


def test_under_drift_they_cover_and_a_look_after_every_epoch_does_not_err() -> None:
    covers, errs, bias = held("drift", 150, batches=15)
    assert 0.90 <= covers.measured <= 0.99
    assert errs.measured <= 0.03
    assert abs(bias.measured) < 0.02


@pytest.mark.parametrize("arms", [2, 3])
def test_where_lower_is_better_the_traffic_goes_to_the_lowest(arms: int) -> None:
    assert right_arm(arms, 4).measured == 1.0


@pytest.mark.parametrize("baseline", ["drifting", "stable"])
def test_regret_is_that_of_thompson_sampling(baseline: str) -> None:
    found = [
        run(
            "thompson",
            steady([0.8, 0.78, 0.75]),
            batch=200,
            rng=rng,
            floor=0.0,
            min_units=0,
            baseline=baseline,
        )
        for rng in np.random.default_rng(12).spawn(30)
    ]
    lost = np.array([each.regret for each in found])
    assert abs(lost.mean() - 53.5) < 3.0 * lost.std(ddof=1) / len(lost) ** 0.5 + 7.0


def test_a_draw_for_each_request_has_the_published_regret() -> None:
    lost = per_request([0.9, 0.8], 200, 10_000, np.random.default_rng(13))
    assert abs(lost.mean() - 10.6) < 3.0 * (0.6**2 + lost.var(ddof=1) / 200) ** 0.5
