"""Does the verdict find a difference where there is one, and none where there is none?"""

from __future__ import annotations

import random
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.shadow.bounded_mean import interval, log_capital
from policies.shadow.judge import design_effect, excess, judge, mean_of
from policies.shadow.sums import PairSums, ShadowSums
from policies.shadow.verdicts import MORE, NO_MORE, UNDECIDED

BUCKETS = 1024


class Run:
    """A shadow's sums as they grow."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        names = PairSums.__dataclass_fields__
        self.candidate = {name: [0.0] * BUCKETS for name in names}
        self.noise = {name: [0.0] * BUCKETS for name in names}
        self.both = [0.0] * BUCKETS
        self.candidate_only = [0.0] * BUCKETS
        self.noise_only = [0.0] * BUCKETS

    def add(self, bucket: int, candidate: bool, noise: bool) -> None:
        """One request with all three answers."""
        for sums, differs in ((self.candidate, candidate), (self.noise, noise)):
            sums["pairs"][bucket] += 1
            sums["differs"][bucket] += differs
            sums["timed"][bucket] += 1
            sums["seconds"][bucket] += self.random.gauss(0.002 if sums is self.candidate else 0.0, 0.01)
        self.both[bucket] += 1
        self.candidate_only[bucket] += candidate and not noise
        self.noise_only[bucket] += noise and not candidate

    def sums(self) -> ShadowSums:
        return ShadowSums(
            PairSums(**self.candidate),
            PairSums(**self.noise),
            self.both,
            self.candidate_only,
            self.noise_only,
        )


def independent(run: Run, requests: int, candidate: float, noise: float) -> None:
    for _ in range(requests):
        draw = run.random.random
        run.add(run.random.randrange(BUCKETS), draw() < candidate, draw() < noise)


@pytest.mark.parametrize("rate", [0.002, 0.05, 0.4])
def test_noise_alone_is_seldom_taken_for_a_difference(rate: float) -> None:
    """400 candidates no worse than noise, looked at 40 times each: at most alpha of them are ever refuted."""
    alarms = 0
    draw = random.Random(11).random
    for _ in range(400):
        more = less = size = 0
        for _ in range(40):
            for _ in range(100):
                candidate, noise = draw() < rate, draw() < rate
                more += candidate and not noise
                less += noise and not candidate
            size += 100
            counts = {1.0: more, 0.0: size - more - less, -1.0: less}
            if log_capital(counts, 0.0, -1.0, 1.0) >= -log(0.05):
                alarms += 1
                break
    assert alarms <= 0.05 * 400


def test_units_that_differ_always_are_not_taken_for_many_requests() -> None:
    """Users of 50 requests each: some differ by the candidate always, as many by noise always."""
    alarms = 0
    for seed in range(40):
        run = Run(seed)
        for _ in range(8):
            for _ in range(15):
                kind = run.random.random()
                bucket = run.random.randrange(BUCKETS)
                for _ in range(50):
                    run.add(bucket, kind < 0.1, kind > 0.9)
            found = excess(run.sums(), 0.05)
            assert found is not None
            assert found.design_effect > 5
            if found.interval.low > 0 or found.interval.high < 0:
                alarms += 1
                break
    assert alarms <= 0.05 * 40


def test_a_difference_is_found_although_there_is_noise() -> None:
    run = Run(3)
    independent(run, 4000, candidate=0.08, noise=0.03)
    found = judge(run.sums(), margin=0.01, alpha=0.05)
    assert found["decision"] == MORE
    assert found["excess"]["low"] < 0.05 < found["excess"]["high"]
    assert found["excess"]["p_value"] < 0.05


def test_a_rare_difference_without_noise_is_found_soon() -> None:
    run = Run(4)
    independent(run, 900, candidate=0.03, noise=0.0)
    assert judge(run.sums(), margin=0.001, alpha=0.05)["decision"] == MORE


def test_a_candidate_that_is_the_same_is_said_to_be() -> None:
    run = Run(5)
    independent(run, 4000, candidate=0.0, noise=0.0)
    found = judge(run.sums(), margin=0.01, alpha=0.05)
    assert found["decision"] == NO_MORE
    assert "within the margin of 1.00%" in found["why"]


def test_little_data_decides_nothing() -> None:
    run = Run(6)
    assert judge(run.sums(), margin=0.01, alpha=0.05)["decision"] == UNDECIDED
    independent(run, 30, candidate=0.1, noise=0.05)
    found = judge(run.sums(), margin=0.01, alpha=0.05)
    assert found["decision"] == UNDECIDED
    assert found["excess"]["low"] < 0 < found["excess"]["high"]


def test_latencies_have_an_interval_that_holds_the_truth() -> None:
    missed = 0
    for seed in range(40):
        run = Run(seed)
        independent(run, 2000, 0.0, 0.0)
        found = mean_of(run.candidate["seconds"], run.candidate["timed"], 0.05)
        assert found is not None
        assert found["low"] is not None
        assert found["high"] is not None
        missed += not found["low"] <= 0.002 <= found["high"]
    assert missed <= 2


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0.01, 0.5))
def test_the_interval_holds_the_mean_and_narrows_with_alpha(hits: int, misses: int, alpha: float) -> None:
    counts = {1.0: float(hits), 0.0: float(misses)}
    found = interval(counts, 0.0, 1.0, alpha)
    if found is None:
        assert hits + misses == 0
        return
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    wider = interval(counts, 0.0, 1.0, alpha / 2)
    assert wider is not None
    assert wider.low <= found.low
    assert found.high <= wider.high


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_swapping_the_sides_mirrors_the_interval(more: int, same: int, less: int) -> None:
    forth = interval({1.0: more, 0.0: same, -1.0: less}, -1.0, 1.0, 0.05)
    back = interval({1.0: less, 0.0: same, -1.0: more}, -1.0, 1.0, 0.05)
    if forth is None or back is None:
        assert forth is back is None
        return
    assert forth.low == pytest.approx(-back.high)
    assert forth.high == pytest.approx(-back.low)


def test_the_share_of_a_coin_is_covered_at_all_looks() -> None:
    missed = 0
    draw = random.Random(17).random
    for _ in range(200):
        hits = 0
        for look in range(1, 21):
            hits += sum(draw() < 0.1 for _ in range(50))
            found = interval({1.0: hits, 0.0: 50 * look - hits}, 0.0, 1.0, 0.05)
            assert found is not None
            if not found.low <= 0.1 <= found.high:
                missed += 1
                break
    assert missed <= 10


def test_few_users_with_many_requests_are_few_however_much_they_agree() -> None:
    run = Run(7)
    for unit in range(15):
        for _ in range(200):
            run.add(unit, candidate=False, noise=False)
    found = judge(run.sums(), margin=0.01, alpha=0.05)
    assert found["decision"] == UNDECIDED
    assert found["excess"]["design_effect"] == 200


def test_the_design_effect_of_independent_and_of_equal_observations() -> None:
    assert design_effect({1.0: 2, 0.0: 2}, [1, 1, 0, 0], [1, 1, 1, 1]) == pytest.approx(4 / 3)
    assert design_effect({1.0: 4, 0.0: 4}, [4, 0], [4, 4]) == pytest.approx(8)
    assert design_effect({1.0: 3, 0.0: 5}, [3], [8]) == 8
