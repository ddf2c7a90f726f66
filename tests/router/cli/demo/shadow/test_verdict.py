"""Copies are read from real metrics, and every promise of the shadow's fails when its figures are wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from policies.shadow.verdicts import MORE, UNDECIDED
from router.cli.demo.counting import Counted
from router.cli.demo.shadow.reading import Copies, Reading, read_copies
from router.cli.demo.shadow.verdict import judge, settled
from router.cli.demo.users import Tally
from router.control.metrics_of_shadows import count_families
from router.worker_totals import ShadowCounts, Totals

VERSIONS = {"champion": "1", "challenger": "2"}
REPORT: dict[str, Any] = {
    "decision": MORE,
    "why": "of 95 requests",
    "candidate": {"pairs": 95},
    "excess": {"p_value": 0.001},
}
GOOD = Reading(
    {"champion": Counted(requests=100, outcomes=100, right=90), "challenger": Counted()},
    REPORT,
    Copies(sent=97, dropped=2, skipped=1, noise_sent=97, uncompared={"budget": 2}),
)


def tally(**changes: Any) -> Tally:
    given = {
        "sent": 100,
        "answered": Counter({"1": 100}),
        "outcomes": Counter({"1": 100}),
        "right": Counter({"1": 90}),
        "acknowledged": Counter({"accepted": 100}),
    }
    return Tally(**{**given, **changes})


def broken(own: Tally, reading: Reading) -> list[int]:
    return [number for number, check in enumerate(judge(own, reading, VERSIONS)) if not check.held]


def copies(**changes: Any) -> Reading:
    return replace(GOOD, copies=replace(GOOD.copies, **changes))


class _Families:
    """What Prometheus is shown of some totals."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def collect(self) -> list[Metric]:
        return list(count_families(self._totals))


def test_copies_are_read_from_what_prometheus_sees() -> None:
    own, other = ShadowCounts(), ShadowCounts()
    own.copies |= {"sent": 7, "dropped:in_flight": 2, "dropped:no_connection": 1, "skipped:body": 4}
    own.noise |= {"sent": 5, "dropped:in_flight": 1}
    own.uncompared |= {"budget": 3}
    other.copies |= {"sent": 1000}
    registry = CollectorRegistry()
    registry.register(_Families(Totals(shadows={"candidate": own, "other": other})))
    found = read_copies(generate_latest(registry).decode())
    assert found == Copies(sent=7, dropped=3, skipped=4, noise_sent=5, uncompared={"budget": 3})
    assert found.total == 14


@pytest.mark.parametrize(
    ("reading", "wrong"),
    [
        (GOOD, []),
        (replace(GOOD, counted={**GOOD.counted, "champion": Counted(1.0, 99, 100, 90)}), [1]),
        (replace(GOOD, counted={**GOOD.counted, "champion": Counted(1.0, 100, 100, 91)}), [2]),
        (copies(dropped=3), [3]),
        (copies(sent=0, dropped=99), [3, 4]),
        (copies(uncompared={}), [4]),
        (replace(GOOD, report={**REPORT, "decision": UNDECIDED, "excess": None}), [5]),
        (replace(GOOD, report=None), [4, 5]),
    ],
)
def test_what_went_otherwise_breaks_its_own_promise(reading: Reading, wrong: list[int]) -> None:
    assert broken(tally(), reading) == wrong
    assert settled(tally(), reading, VERSIONS) is (wrong in ([], [5]))


def test_an_answer_of_the_candidates_is_seen() -> None:
    assert 1 in broken(tally(answered=Counter({"1": 99, "2": 1})), GOOD)
