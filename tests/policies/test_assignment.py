"""Are shares exact, moves only those that were asked for, and all processes of one mind?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from math import fsum, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from policies.assignment import BUCKETS, assign, bucket_prefix, place, score
from policies.plan import Plan

UNITS = [f"user-{number}".encode() for number in range(100_000)]

_names = st.text("abcdefgh_-", min_size=1, max_size=8)
_weights = st.floats(0, 1e6, allow_nan=False).map(lambda weight: 0 if weight < 1e-6 else weight)
allocations = st.dictionaries(_names, _weights, min_size=1, max_size=6).filter(
    lambda weights: any(weight > 0 for weight in weights.values())
)
units = st.lists(st.binary(max_size=40), min_size=1, max_size=40)

ASSIGN_ALL = """
import json, sys
from policies.assignment import assign, bucket_prefix, place
from policies.plan import Plan
plan = Plan("ranker", {"champion": 80, "challenger": 20})
prefix = bucket_prefix("ranker")
units = [f"user-{number}".encode() for number in range(2000)]
print(json.dumps([[assign(plan, unit).variant, place(prefix, unit)] for unit in units]))
"""


@pytest.mark.parametrize(
    "weights",
    [
        {"champion": 80, "challenger": 20},
        {"champion": 99, "challenger": 1},
        {"a": 0.1, "b": 0.2, "c": 0.7},
        {"a": 5, "b": 3, "c": 1, "d": 1, "paused": 0},
    ],
    ids=str,
)
def test_shares_are_the_weights_within_binomial_error(weights: dict[str, float]) -> None:
    plan = Plan("ranker", weights)
    counts = Counter(assign(plan, unit).variant for unit in UNITS)
    total = sum(weights.values())
    for name, weight in weights.items():
        share = weight / total
        error = sqrt(share * (1 - share) / len(UNITS))
        assert abs(counts[name] / len(UNITS) - share) <= 4 * error
    assert set(counts) == {name for name, weight in weights.items() if weight}


def test_from_80_20_to_70_30_units_move_only_from_the_first_to_the_second() -> None:
    before = Plan("ranker", {"champion": 80, "challenger": 20})
    after = Plan("ranker", {"champion": 70, "challenger": 30})
    moves = Counter((assign(before, unit).variant, assign(after, unit).variant) for unit in UNITS)
    assert moves["challenger", "champion"] == 0
    assert moves["champion", "challenger"] / len(UNITS) == pytest.approx(0.1, abs=4 * sqrt(0.09 / len(UNITS)))


@given(allocations, units, st.data())
def test_raising_one_weight_moves_units_only_into_it(
    weights: dict[str, float], some: list[bytes], data: st.DataObject
) -> None:
    raised = data.draw(st.sampled_from(sorted(weights)))
    more = weights | {raised: weights[raised] + data.draw(st.floats(0.001, 1e6))}
    before, after = Plan("s", weights), Plan("s", more)
    for unit in some:
        now = assign(after, unit).variant
        assert now in (assign(before, unit).variant, raised)


@given(allocations, units, st.sampled_from([0.5, 2, 4, 1024]))
def test_only_ratios_of_weights_count(weights: dict[str, float], some: list[bytes], factor: float) -> None:
    scaled = Plan("s", {name: weight * factor for name, weight in weights.items()})
    plan = Plan("s", weights)
    assert [assign(plan, unit) for unit in some] == [assign(scaled, unit) for unit in some]


@given(allocations, units, st.randoms())
def test_the_order_of_the_variants_does_not_matter(
    weights: dict[str, float], some: list[bytes], rng: Random
) -> None:
    names = list(weights)
    rng.shuffle(names)
    shuffled = Plan("s", {name: weights[name] for name in names})
    plan = Plan("s", weights)
    assert [assign(plan, unit).variant for unit in some] == [assign(shuffled, unit).variant for unit in some]


@given(allocations, units)
def test_the_largest_score_wins_and_propensities_are_the_shares(
    weights: dict[str, float], some: list[bytes]
) -> None:
    plan = Plan("s", weights)
    for unit in some:
        decision = assign(plan, unit)
        best = max(plan.arms, key=lambda arm: score(arm.prefix, arm.weight, unit))
        assert decision is best.decision
        assert decision.propensity == weights[decision.variant] / fsum(weights.values())
    assert sum(arm.decision.propensity for arm in plan.arms) == pytest.approx(1)


def test_one_variant_left_is_static_and_a_paused_one_gets_nobody() -> None:
    decision = assign(Plan("s", {"on": 1, "paused": 0}), b"anyone")
    assert (decision.variant, decision.propensity, decision.reason) == ("on", 1.0, "static")
    assert assign(Plan("s", {"a": 1, "b": 1}), b"anyone").reason == "split"


@pytest.mark.parametrize(
    ("weights", "named"),
    [
        ({"a": -1.0, "b": 1.0}, "-1.0"),
        ({"a": float("nan")}, "nan"),
        ({"a": float("inf")}, "inf"),
        ({"a": 0.0}, "positive"),
        ({}, "positive"),
    ],
    ids=str,
)
def test_weights_that_are_none_are_refused(weights: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Plan("s", weights)


def test_every_process_assigns_alike_whatever_its_hash_seed() -> None:
    answers = []
    for seed in ("0", "1", "4242"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", ASSIGN_ALL], env=environment, capture_output=True, text=True, check=True
        )
        answers.append(json.loads(run.stdout))
    plan = Plan("ranker", {"champion": 80, "challenger": 20})
    prefix = bucket_prefix("ranker")
    own = [[assign(plan, unit).variant, place(prefix, unit)] for unit in UNITS[:2000]]
    assert answers == [own, own, own]


def test_buckets_are_even_and_independent_of_the_assignment() -> None:
    plan = Plan("ranker", {"champion": 80, "challenger": 20})
    prefix = bucket_prefix("ranker")
    buckets = [place(prefix, unit) % BUCKETS for unit in UNITS]
    counts = Counter(buckets)
    expected = len(UNITS) / BUCKETS
    evenness = sum((counts[bucket] - expected) ** 2 / expected for bucket in range(BUCKETS))
    assert chi2.sf(evenness, BUCKETS - 1) > 1e-4

    pairs = zip(buckets, UNITS, strict=True)
    challengers = Counter(bucket for bucket, unit in pairs if assign(plan, unit).variant == "challenger")
    share = challengers.total() / len(UNITS)
    dependence = sum(
        (challengers[bucket] - counts[bucket] * share) ** 2 / (counts[bucket] * share * (1 - share))
        for bucket in range(BUCKETS)
    )
    assert chi2.sf(dependence, BUCKETS - 1) > 1e-4
