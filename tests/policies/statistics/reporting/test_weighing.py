"""Are epochs kept and weighed for each comparison by the counts that it rests on?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from policies.statistics.evidence import ExperimentEvidence
from policies.statistics.report import AnalysisSettings
from policies.statistics.reporting.traffic import Traffic
from policies.statistics.reporting.weighing import Weighing
from policies.statistics.result import NotEstimable

EVEN = {"a": 1.0, "b": 1.0, "c": 1.0}
RAMP = [{"a": 8.0, "b": 1.0}, {"a": 2.0, "b": 2.0, "c": 4.0}, EVEN]


def weighed(evidence: ExperimentEvidence, **settings: object) -> tuple[Traffic, Weighing]:
    traffic = Traffic.of(evidence)
    return traffic, Weighing.of(traffic, traffic.requests, replace(AnalysisSettings(), **settings))


def test_one_weighting_serves_all_where_all_have_the_same_epochs(world: Callable) -> None:
    traffic, found = weighed(world(users=3000).run([EVEN, EVEN]))
    assert found.own == found.pair == (0, 0, 0)
    assert found.weights[0] == pytest.approx(traffic.routed.sum(axis=1) / traffic.routed.sum())


def test_a_comparison_keeps_the_epochs_of_both_and_weighs_them_by_all_traffic(world: Callable) -> None:
    traffic, found = weighed(world(users=3000).run(RAMP))
    with_c = found.pair[2]
    assert found.pair[0] == found.pair[1] == found.own[1] != with_c == found.own[2]
    assert found.kept[with_c].tolist() == [False, True, True]
    sizes = np.array([0.0, *traffic.routed[1:].sum(axis=1)])
    assert found.weights[with_c] == pytest.approx(sizes / sizes.sum())
    assert found.units[2][with_c] == pytest.approx(traffic.units[1:, 2].sum())
    held = (traffic.requests.array[1:, 2] > 0).any(axis=0)
    assert found.clusters[2][with_c] == held.sum()


def test_the_most_precise_weights_are_each_comparisons_own(world: Callable) -> None:
    traffic, found = weighed(world(users=3000).run(RAMP), weighting="cmh")
    n = traffic.routed
    sizes = n[:, 0] * n[:, 1] / (n[:, 0] + n[:, 1])
    assert found.weights[found.pair[1]] == pytest.approx(sizes / sizes.sum())
    assert found.weights[found.own[1]] == pytest.approx(n.sum(axis=1) / n.sum())


def test_what_shares_no_epoch_is_not_weighed(world: Callable) -> None:
    _, found = weighed(world(users=2000).run([{"a": 1.0}, {"b": 1.0}]))
    assert found.pair == (0, -1)
    assert found.own == (0, 1)
    assert found.fit == NotEstimable(
        "additive model of variants and epochs", "no two variants share an epoch"
    )


def test_the_fit_leaves_out_what_is_common_to_an_epoch(world: Callable) -> None:
    _, found = weighed(world(users=3000).run(RAMP))
    assert not isinstance(found.fit, NotEstimable)
    assert found.fit.variants == (0, 1, 2)
    assert found.fit.maps.sum(axis=0) == pytest.approx(0.0, abs=1e-12)


def test_late_outcomes_forbid_the_comparisons_they_are_part_of(world: Callable) -> None:
    _, found = weighed(world(users=4000, late={"c": 0.2}).run([EVEN]), max_immature_share=0.1)
    assert found.late[:2] == (None, None)
    assert found.late[2] == "20% of the requests of c are not mature yet"
    assert not isinstance(found.fit, NotEstimable)
    assert found.fit.late == found.late[2]
    assert found.immature[2][0] == pytest.approx(0.2, abs=0.01)
