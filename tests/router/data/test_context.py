"""Does a request get its variant by its features, with just the probability that is recorded?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from scipy.stats import chisquare

from policies.plan import Plan
from router.data.context import Context, read_headers, reads_body
from router.data.decision_log import MOST_AT_ONCE, DecisionLog
from router.data.unit import capture
from router.data.wire import REQUEST_KINDS
from router.store.decisions import LoggedDecision

FEATURES = [
    {"name": "plan", "header": "X-Plan", "values": ["free", "paid"]},
    {"name": "size", "query": "n", "low": 0, "high": 10},
    {"name": "age", "json": "/user/age", "low": 0, "high": 100},
]
FACTOR = [[1.0], [0.1, 1.0], [0.0, 0.2, 1.0], [0.1, 0.0, 0.0, 1.0], [0.0, 0.0, 0.1, 0.0, 1.0]]
RULE: dict[str, Any] = {
    "choice": "thompson",
    "metric": "clicked",
    "keep": 1000,
    "features": FEATURES,
    "floor": 0.06,
    "scale": 0.3,
    "arms": {
        "a": {"theta": [0.1, 0.3, 0.0, 0.1, 0.0], "factor": FACTOR},
        "b": {"theta": [0.1, 0.0, 0.3, 0.0, 0.1], "factor": FACTOR},
        "c": {"theta": [0.2, 0.0, 0.0, 0.0, 0.0], "factor": FACTOR},
    },
}
PLAN = Plan("salt", {"a": 1.0, "b": 1.0, "c": 1.0}, rule=RULE)


@dataclass
class Asked:
    """A request, as far as it is read."""

    target: bytes = b"/rank"
    captured: dict[int, bytes] = field(default_factory=dict)
    body: list[bytes] = field(default_factory=list)


@pytest.fixture
def kinds() -> dict[bytes, int]:
    kinds = dict(REQUEST_KINDS)
    for header in read_headers(RULE):
        capture(header, kinds)
    return kinds


@pytest.fixture
def context(kinds: dict[bytes, int]) -> Context:
    return Context(PLAN, kinds, 1024, DecisionLog(1000))


def test_features_are_read_where_they_stand(context: Context, kinds: dict[bytes, int]) -> None:
    asked = Asked(b"/rank?m=1&n=4", {kinds[b"x-plan"]: b" paid "}, [b'{"user": ', b'{"age": 25}}'])
    assert context.choose(asked, b"u").features == [1.0, 0.0, 1.0, 0.4, 0.25]
    assert context.choose(Asked(), b"u").features == [1.0, 0.0, 0.0, 0.5, 0.5]
    assert reads_body(RULE)
    assert context.choose_by_name({"plan": "paid", "size": 4, "age": 25}, b"u") == context.choose(asked, b"u")


@pytest.mark.parametrize("target", [b"/rank", b"/rank?n=9"])
def test_shares_are_the_recorded_probabilities(context: Context, target: bytes) -> None:
    choices = [context.choose(Asked(target), b"%d" % number) for number in range(4000)]
    shares = {choice.variant: choice.propensity for choice in choices}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert min(shares.values()) >= 0.02
    seen = Counter(choice.variant for choice in choices)
    expected = [len(choices) * share for share in shares.values()]
    assert chisquare([seen[name] for name in shares], expected).pvalue > 0.001


def test_a_unit_keeps_its_variant_while_its_features_do(context: Context) -> None:
    assert len({context.choose(Asked(), b"u").variant for _ in range(20)}) == 1


def test_a_log_takes_every_nth_once_there_are_many() -> None:
    log = DecisionLog(1000)

    def flow(count: int) -> int:
        for number in range(count):
            if log.wanted():
                log.add(LoggedDecision(number, 0, "a", 0.5, [1.0]))
        return len(log.take())

    assert flow(20) == 20
    assert flow(10 * MOST_AT_ONCE) == 10 * MOST_AT_ONCE
    assert flow(10 * MOST_AT_ONCE) == MOST_AT_ONCE
    assert flow(20) == 2
    assert flow(20) == 20
