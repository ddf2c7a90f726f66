"""Every promise fails when its own figures are wrong, and only then."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from router.cli.demo.checks import counts_agree
from router.cli.demo.counting import Counted
from router.cli.demo.split.reading import Effect, Reading
from router.cli.demo.split.verdict import judge
from router.cli.demo.users import Tally

VERSIONS = {"champion": "1", "challenger": "2"}
GOOD = Reading(
    counted={"champion": Counted(20.0, 50, 50, 44), "challenger": Counted(21.0, 40, 40, 39)},
    effect=Effect(0.095, 0.02, 0.17, 0.95, 0.01, "better"),
)


def tally() -> Tally:
    return Tally(
        sent=90,
        answered=Counter({"1": 50, "2": 40}),
        outcomes=Counter({"1": 50, "2": 40}),
        right=Counter({"1": 44, "2": 39}),
        posted_again=7,
        acknowledged=Counter({"accepted": 90, "duplicate": 7}),
    )


def held(tally: Tally, reading: Reading) -> list[bool]:
    return [check.held for check in judge(tally, reading, VERSIONS)]


def counted(**changes: int) -> Reading:
    counts = dict(GOOD.counted)
    counts["challenger"] = replace(counts["challenger"], **changes)
    return replace(GOOD, counted=counts)


def test_all_holds_where_the_counts_agree_and_the_report_decides_so() -> None:
    assert held(tally(), GOOD) == [True, True, True, True]
    assert counts_agree(tally(), GOOD, VERSIONS)


@pytest.mark.parametrize(
    ("reading", "broken"),
    [
        (counted(requests=41), 1),
        (counted(requests=39), 1),
        (counted(outcomes=41), 2),
        (counted(outcomes=39), 2),
        (counted(right=40), 2),
        (replace(GOOD, effect=Effect(0.095, -0.001, 0.19, 0.95, 0.06, "not enough data")), 3),
        (replace(GOOD, effect=Effect(-0.095, -0.17, -0.02, 0.95, 0.01, "worse")), 3),
        (replace(GOOD, effect=None), 3),
    ],
)
def test_a_report_that_disagrees_breaks_its_own_promise(reading: Reading, broken: int) -> None:
    assert [number for number, ok in enumerate(held(tally(), reading)) if not ok] == [broken]
    assert counts_agree(tally(), reading, VERSIONS) is (broken == 3)


def test_a_request_without_an_answer_breaks_the_first_promise_in_words() -> None:
    own = tally()
    own.sent += 1
    own.fail("a request was answered 503: busy")
    first = judge(own, GOOD, VERSIONS)[0]
    assert not first.held
    assert "90 of 91" in first.figures
    assert "503: busy" in first.figures


@pytest.mark.parametrize("acknowledged", [{"accepted": 91, "duplicate": 6}, {"accepted": 90, "duplicate": 6}])
def test_an_outcome_posted_again_and_not_known_breaks_the_third(acknowledged: dict[str, int]) -> None:
    own = tally()
    own.acknowledged = Counter(acknowledged)
    assert held(own, GOOD) == [True, True, False, True]


def test_no_traffic_is_no_success() -> None:
    assert held(Tally(), Reading())[0] is False
    assert held(Tally(), Reading())[3] is False
