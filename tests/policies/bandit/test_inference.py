"""Are the batched intervals those of the statistics, and do they hold when the policy made the weights?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.simulations.bandit_intervals import held, right_arm
from bench.simulations.bandit_runs import per_request, run, steady
from policies.bandit.inference import PLANNED_EPOCHS
from policies.statistics.adaptive.batched_ols import batched_ols, sequential_batched_ols
from policies.statistics.evidence import Moments
from policies.statistics.result import Estimate
from tests.policies.bandit.worlds import bandit, planned, rates

cell = st.tuples(st.integers(0, 60), st.floats(0, 1)).map(lambda pair: (int(pair[0] * pair[1]), pair[0]))


@settings(max_examples=50)
@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=6))
def test_they_are_the_batched_ols_of_the_statistics(seen: Sequence[Sequence[tuple[int, int]]]) -> None:
    found = planned(bandit(guardrails=()), rates(*seen)).findings["batched_ols"]["b"]
    pairs = [tuple(Moments.from_successes(*pair) for pair in epoch) for epoch in seen]
    for shown, expected in (
        (found, batched_ols(pairs)),
        (found["sequential"], sequential_batched_ols(pairs[:-1], planned_batches=PLANNED_EPOCHS)),
    ):
        if not isinstance(expected, Estimate):
            assert shown["estimate"] is None
            continue
        for name in ("estimate", "low", "high", "p_value"):
            assert shown[name] == pytest.approx(getattr(expected, name), rel=1e-6, abs=1e-9)


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
