"""Do the bandits keep the laws that no evidence may break?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta as beta_distribution

from policies.metric import BetaPrior, MetricSpec
from policies.statistics.means import Mean
from tests.policies.bandit.worlds import AMOUNT, LOST, WON, bandit, observed, planned, rates, variant, weights

KINDS = ("thompson", "top-two", "track-and-stop", "epsilon-greedy")

cell = st.tuples(st.integers(0, 300), st.floats(0, 1)).map(lambda pair: (int(pair[0] * pair[1]), pair[0]))


def epochs(arms: int, most: int = 4) -> Any:
    return st.lists(st.lists(cell, min_size=arms, max_size=arms), min_size=1, max_size=most)


@pytest.mark.parametrize("baseline", ["drifting", "stable"])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(seen=epochs(3), floor=st.floats(0, 1))
def test_weights_sum_to_one_and_every_arm_has_its_part_of_the_floor(
    kind: str, baseline: str, seen: Any, floor: float
) -> None:
    policy = bandit(kind, 3, floor=floor, baseline=baseline, step=0.0, guardrails=())
    found = planned(policy, rates(*seen)).weights
    assert sum(found.values()) == pytest.approx(1.0 if found != policy.allocation.weights else 3.0)
    assert min(weights(planned(policy, rates(*seen)))) >= floor / 3 - 1e-9


@pytest.mark.parametrize("baseline", ["drifting", "stable"])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(seen=epochs(3), order=st.permutations(range(3)))
def test_it_does_not_matter_in_which_order_the_arms_stand(
    kind: str, baseline: str, seen: Any, order: list[int]
) -> None:
    policy = bandit(kind, 3, baseline=baseline, step=0.0, guardrails=())
    straight = weights(planned(policy, rates(*seen)))
    other = weights(planned(policy, rates(*[[counts[k] for k in order] for counts in seen])))
    assert other == pytest.approx([straight[k] for k in order], abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(seen=epochs(3))
def test_less_losses_are_better_just_as_more_wins_are(kind: str, seen: Any) -> None:
    turned = [[(trials - wins, trials) for wins, trials in counts] for counts in seen]
    more = planned(bandit(kind, 3, step=0.0), rates(*seen))
    less = planned(bandit(kind, 3, (LOST,), step=0.0), rates(*turned))
    assert weights(less) == pytest.approx(weights(more), abs=1e-6)
    assert less.findings.get("winner") == more.findings.get("winner")


@settings(max_examples=40)
@given(seen=st.lists(cell, min_size=3, max_size=3), arm=st.integers(0, 2))
@pytest.mark.parametrize("baseline", ["drifting", "stable"])
def test_one_win_more_never_lowers_an_arms_weight(baseline: str, seen: Any, arm: int) -> None:
    wins, trials = seen[arm]
    better = list(seen)
    better[arm] = (min(wins + 1, trials), trials)
    policy = bandit("thompson", 3, baseline=baseline, step=0.0)
    before, after = planned(policy, rates(seen)), planned(policy, rates(better))
    assert weights(after)[arm] >= weights(before)[arm] - 1e-9


@settings(max_examples=40)
@given(
    seen=st.lists(st.tuples(st.integers(1, 200), st.floats(0, 1)), min_size=2, max_size=4),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    prior=st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)),
)
def test_without_drift_and_with_the_same_shares_it_is_the_pooled_beta_posterior(
    seen: Any, sizes: list[int], prior: tuple[float, float]
) -> None:
    base = [(int(trials * share), trials) for trials, share in seen]
    several = [[(wins * size, trials * size) for wins, trials in base] for size in sizes]
    metric = MetricSpec("won", "binary", prior=BetaPrior(*prior))
    policy = bandit("thompson", len(base), (metric,), step=0.0, guardrails=(), baseline="drifting")
    found = planned(policy, rates(*several)).findings
    for name, (wins, trials) in zip("abcd", base, strict=False):
        wins, trials = wins * sum(sizes), trials * sum(sizes)
        exact = beta_distribution(prior[0] + wins, prior[1] + trials - wins)
        assert found["effective_units"][name] == pytest.approx(trials, rel=1e-3)
        assert found["means"][name] == pytest.approx(exact.mean(), abs=1e-4)
        assert found["intervals"][name] == pytest.approx([exact.ppf(0.025), exact.ppf(0.975)], abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(seen=epochs(2))
def test_a_half_life_without_end_is_no_discount(kind: str, seen: Any) -> None:
    plain = planned(bandit(kind, step=0.0), rates(*seen))
    for ever in (timedelta(days=365_000),):
        aged = planned(bandit(kind, step=0.0, discount=ever), rates(*seen))
        assert weights(aged) == pytest.approx(weights(plain), abs=1e-4)


@settings(max_examples=25)
@given(
    means=st.lists(st.floats(-100, 100), min_size=3, max_size=3),
    deviations=st.lists(st.floats(0.1, 50), min_size=3, max_size=3),
)
@pytest.mark.parametrize("kind", KINDS)
def test_rewards_of_any_size_are_turned_by_their_sign(
    kind: str, means: list[float], deviations: list[float]
) -> None:
    def amounts(sign: int) -> Any:
        arms = {
            name: variant("amount", Mean(sign * mean, deviation**2 / 50, 49.0, 50), 50, sign * mean * 50)
            for name, mean, deviation in zip("abc", means, deviations, strict=True)
        }
        return observed([arms])

    less = MetricSpec("amount", "mean", "decrease")
    up = planned(bandit(kind, 3, (AMOUNT,), step=0.0), amounts(1))
    down = planned(bandit(kind, 3, (less,), step=0.0), amounts(-1))
    assert weights(down) == pytest.approx(weights(up), abs=1e-9)
    best = max(range(3), key=means.__getitem__)
    if kind in ("thompson", "epsilon-greedy"):
        shown = up.findings["probability_best"]
        assert shown["abc"[best]] >= max(shown.values()) - 1e-6 or max(deviations) > min(deviations)


def test_the_reward_named_is_the_one_that_counts() -> None:
    both = [variant("won", Mean.of_rate(wins, 100), 100, wins) for wins in (10, 60)]
    policy = bandit("thompson", 2, (AMOUNT, WON), metric="won")
    assert weights(planned(policy, observed([dict(zip("ab", both, strict=True))])))[1] > 0.99
