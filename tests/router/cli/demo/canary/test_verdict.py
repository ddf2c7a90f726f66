"""Two rollouts are read out of the plans, and every promise fails when its own figures are wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from router.cli.demo.canary.reading import Reading, rollouts
from router.cli.demo.canary.verdict import judge
from router.cli.demo.counting import Counted
from router.cli.demo.planning import PlanMade, PolicyNow, Seen
from router.cli.demo.users import Tally


def plan(epoch: int, at: float, weight: float, why: str = "", seen: Seen | None = None) -> PlanMade:
    weights = {"champion": 100.0 - weight, "challenger": weight}
    return PlanMade(epoch, at, why, "", weights, {} if seen is None else {"challenger": seen}, True)


PLANS = (
    plan(2, 10.0, 5.0),
    plan(3, 16.5, 0.0, "harm: errors", Seen(60, 4, 0)),
    plan(5, 20.0, 5.0),
    plan(6, 30.0, 25.0),
    plan(7, 34.0, 50.0),
    plan(8, 37.0, 100.0, "safe at 50 %", Seen(700, 0, 0)),
)
GOOD = Reading(
    {"champion": Counted(requests=900), "challenger": Counted(requests=104)},
    "fixed",
    PolicyNow(phase="Succeeded"),
    PLANS,
)


def tally() -> Tally:
    return Tally(sent=1004, answered=Counter({"1": 900, "2": 100}), models_failures=4)


def broken(tally: Tally, reading: Reading) -> list[int]:
    return [number for number, check in enumerate(judge(tally, reading)) if not check.held]


def test_a_rollout_ends_with_no_weight_or_all_of_it() -> None:
    first, second = rollouts(PLANS)
    assert (first.seconds, first.weights, first.seen.errors) == (6.5, (5.0, 0.0), 4)
    assert (second.seconds, second.weights) == (17.0, (5.0, 25.0, 50.0, 100.0))
    assert rollouts(PLANS[:4])[1].weights == (5.0, 25.0)
    assert rollouts(()) == ()


def test_all_holds_and_says_by_which_figures() -> None:
    assert broken(tally(), GOOD) == []
    assert "6.5 s after its first traffic, at 5 %, after 60 requests" in judge(tally(), GOOD)[3].figures


@pytest.mark.parametrize(
    ("reading", "wrong"),
    [
        (replace(GOOD, counted={"champion": Counted(requests=1003)}), [1]),
        (replace(GOOD, plans=PLANS[:3]), [4]),
        (replace(GOOD, plans=PLANS[:1]), [3, 4]),
        (replace(GOOD, plans=()), [2, 3, 4, 5]),
        (
            replace(GOOD, plans=(PLANS[0], replace(PLANS[1], why="an operator rolled it back"), *PLANS[2:])),
            [3],
        ),
        (replace(GOOD, plans=(*PLANS[:3], *PLANS[4:])), [4]),
        (replace(GOOD, plans=(*PLANS[:5], replace(PLANS[5], weights=PLANS[1].weights))), [4]),
        (replace(GOOD, plans=(*PLANS[:5], replace(PLANS[5], replayed=False))), [5]),
        (replace(GOOD, policy=PolicyNow(phase="Promoting")), [4]),
    ],
)
def test_what_went_otherwise_breaks_its_own_promise(reading: Reading, wrong: list[int]) -> None:
    assert broken(tally(), reading) == wrong


def test_a_failure_of_the_routers_breaks_the_first_and_that_of_the_changes() -> None:
    own = tally()
    own.fail("a request was answered 503: busy")
    assert broken(own, GOOD) == [0, 2]
