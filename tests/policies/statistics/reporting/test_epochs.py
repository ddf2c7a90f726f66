"""Are the effects within epochs those of the epochs' own sums, and left out where there are none?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from policies.metric import MetricSpec
from policies.statistics.evidence import BucketSums
from policies.statistics.report import AnalysisSettings, report
from policies.statistics.reporting.compare import quantile
from policies.statistics.strata.inverse_variance import inverse_variance

WON, VALUE = MetricSpec("won", "binary"), MetricSpec("value", "mean", per="request")
SETTINGS = AnalysisSettings(n_star=4000)
EVEN = {"a": 1.0, "b": 1.0}


def test_an_epochs_effect_is_the_difference_of_its_own_means(world: Callable) -> None:
    evidence = world(users=4000, lift={"b": 0.02}).run([EVEN, {"a": 3.0, "b": 1.0}])
    found = report(evidence, [WON, VALUE], SETTINGS, now=0.0)
    for name in ("won", "value"):
        effect = next(each for each in found.effects if each.metric == name)
        assert len(effect.epochs) == 2
        for row, epoch in zip(effect.epochs, evidence.epochs, strict=True):
            a, b = (epoch.variants[v].outcomes[name] for v in "ab")
            if name == "value":
                a, b = (BucketSums(epoch.variants[v].requests, x.numerator) for v, x in (("a", a), ("b", b)))
            assert row.epoch == epoch.number
            assert row.difference == pytest.approx(b.mean - a.mean)
            assert row.standard_error == pytest.approx(
                sqrt(np.square(b.influence() - a.influence()).sum()), rel=1e-9
            )
            assert row.low < row.difference < row.high
            n = epoch.variants["a"].units + epoch.variants["b"].units
            reach = quantile(n, SETTINGS, SETTINGS.alpha) * row.standard_error
            assert row.high - row.difference == pytest.approx(reach, rel=0.01)
        q_p = inverse_variance(effect.epochs.difference, np.square(effect.epochs.standard_error)).detail(
            "q_p"
        )
        assert effect.heterogeneity_p == pytest.approx(q_p)


def test_epochs_without_both_are_left_out_and_thin_ones_have_no_interval(world: Callable) -> None:
    evidence = world(users=4000).run([EVEN, {"a": 1.0}, {"a": 50.0, "b": 1.0}, EVEN])
    found = report(evidence, [WON], SETTINGS, now=0.0)
    effect = next(each for each in found.effects if each.metric == "won")
    first, thin, last = effect.epochs
    assert [each.epoch for each in effect.epochs] == [1, 3, 4]
    assert effect.epochs_left_out == (2,)
    assert thin.low is None
    assert thin.high is None
    assert None not in (first.low, first.high, last.low, last.high)


def test_a_level_common_to_all_values_moves_no_probability(world: Callable) -> None:
    """A million added to every value: the contrasts keep their digits."""
    evidence = world(seed=4, users=3000, lift={"b": 0.01}).run([{**EVEN, "c": 1.0}, {**EVEN, "c": 2.0}])

    def lifted(by: float) -> list[float | None]:
        epochs = tuple(
            replace(
                epoch,
                variants={
                    name: replace(
                        each,
                        outcomes={
                            "value": BucketSums(
                                each.outcomes["won"].denominator,
                                each.outcomes["won"].numerator + by * each.outcomes["won"].denominator,
                            )
                        },
                    )
                    for name, each in epoch.variants.items()
                },
            )
            for epoch in evidence.epochs
        )
        found = report(replace(evidence, epochs=epochs), [MetricSpec("value", "mean")], SETTINGS, now=0.0)
        return [each.metrics[0].probability_best for each in found.variants]

    assert lifted(1e6) == pytest.approx(lifted(0.0), rel=1e-6)
