"""Every promise of the bandit's fails when its own figures are wrong, and the regret is weighed alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from router.cli.demo.bandit.reading import Reading, regret
from router.cli.demo.bandit.verdict import judge
from router.cli.demo.counting import Counted
from router.cli.demo.planning import PlanMade, PolicyNow
from router.cli.demo.users import Tally

VERSIONS = {"champion": "1", "fair": "3", "strong": "2"}
COUNTS = {"champion": 20, "fair": 30, "strong": 250}
FINDINGS: dict[str, Any] = {
    "means": {"champion": 0.9, "fair": 0.94, "strong": 0.98},
    "regret": {"estimate": 3.0, "standard_error": 1.0},
    "batched_ols": {"strong": {"estimate": 0.08, "low": 0.02, "high": 0.14, "level": 0.95, "epochs": 4}},
}
WEIGHTS = {"champion": 0.05, "fair": 0.1, "strong": 0.85}
GOOD = Reading(
    {name: Counted(requests=number, outcomes=number, right=1) for name, number in COUNTS.items()},
    PolicyNow(weights=WEIGHTS, findings=FINDINGS),
    (PlanMade(2, 0.0, "", "", WEIGHTS, {}, True),),
)


def tally() -> Tally:
    by_version = Counter({VERSIONS[name]: number for name, number in COUNTS.items()})
    return Tally(
        sent=300,
        answered=by_version,
        outcomes=Counter(by_version),
        posted_again=5,
        acknowledged=Counter({"accepted": 300, "duplicate": 5}),
    )


def broken(reading: Reading) -> list[int]:
    return [number for number, check in enumerate(judge(tally(), reading, VERSIONS)) if not check.held]


def found(**changes: Any) -> Reading:
    return replace(GOOD, policy=PolicyNow(weights=WEIGHTS, findings={**FINDINGS, **changes}))


def weighted(weights: Mapping[str, float]) -> Reading:
    return replace(GOOD, policy=PolicyNow(weights=weights, findings=FINDINGS))


def test_an_even_split_loses_the_mean_difference_to_the_best_with_each_outcome() -> None:
    lost = regret(GOOD)
    assert lost is not None
    assert lost.of_even_split == pytest.approx(300 * (0.08 + 0.04 + 0.0) / 3)
    assert regret(Reading()) is None


@pytest.mark.parametrize(
    ("reading", "wrong"),
    [
        (GOOD, []),
        (replace(GOOD, counted={**GOOD.counted, "fair": Counted(requests=31, outcomes=30)}), [1]),
        (replace(GOOD, counted={**GOOD.counted, "fair": Counted(requests=30, outcomes=31)}), [2]),
        (weighted({"champion": 0.1, "fair": 0.5, "strong": 0.4}), [3]),
        (found(regret={"estimate": 12.5, "standard_error": 1.0}), [4]),
        (found(regret=None), [4]),
        (found(batched_ols={"strong": {**FINDINGS["batched_ols"]["strong"], "low": -0.01}}), [5]),
        (found(batched_ols={"strong": {"low": None, "reason": "no epoch"}}), [5]),
        (found(batched_ols={}), [5]),
        (replace(GOOD, plans=(replace(GOOD.plans[0], replayed=False),)), [6]),
    ],
)
def test_what_went_otherwise_breaks_its_own_promise(reading: Reading, wrong: list[int]) -> None:
    assert broken(reading) == wrong
