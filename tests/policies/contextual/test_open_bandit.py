"""Does off-policy evaluation hold on real logged decisions, does the contextual bandit learn from their
contexts, and what can their few clicks say of it?
"""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass
from functools import cache
from math import fsum, hypot, sqrt
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from policies.contextual.evaluation import Decisions
from policies.contextual.features import Encoder, Feature
from policies.contextual.learning import learn
from policies.contextual.scoring import Scorer
from policies.statistics.adaptive.off_policy import Estimator, off_policy_value
from policies.statistics.adaptive.off_policy_contrast import off_policy_contrast
from policies.statistics.observed import ObservedLinear
from policies.statistics.result import Estimate, NotEstimable

FOLDER = Path(__file__).parent / "open_bandit"
ITEMS = 80
REFERENCE = json.loads((FOLDER / "obp.json").read_text())


@dataclass(frozen=True)
class Log:
    """Logged decisions, by column."""

    item: NDArray[np.int64]
    position: NDArray[np.int64]
    click: NDArray[np.float64]
    propensity: NDArray[np.float64]
    users: list[tuple[str, ...]]
    affinity: NDArray[np.float64]


def read(name: str) -> Log:
    with gzip.open(FOLDER / f"{name}.csv.gz", "rt") as lines:
        rows = list(csv.DictReader(lines))
    affinity = np.zeros((len(rows), ITEMS))
    for number, row in enumerate(rows):
        for pair in row["affinity"].split():
            item, _, value = pair.partition(":")
            affinity[number, int(item)] = float(value)
    return Log(
        item=np.array([int(row["item_id"]) for row in rows]),
        position=np.array([int(row["position"]) - 1 for row in rows]),
        click=np.array([float(row["click"]) for row in rows]),
        propensity=np.array([float(row["propensity_score"]) for row in rows]),
        users=[tuple(row[f"user_{place}"] for place in range(4)) for row in rows],
        affinity=affinity,
    )


@pytest.fixture(scope="module")
def uniform() -> Log:
    return read("random")


@pytest.fixture(scope="module")
def thompson() -> Log:
    return read("thompson")


@pytest.fixture(scope="module")
def targets(uniform: Log, thompson: Log) -> dict[str, NDArray[np.float64]]:
    """Each target policy's probabilities of all items, (n, K)."""
    frequencies = np.zeros((ITEMS, 3))
    np.add.at(frequencies, (thompson.item, thompson.position), 1.0)
    frequencies /= frequencies.sum(axis=0)
    exponential = np.exp(2.0 * uniform.affinity)
    return {
        "thompson_frequencies": frequencies.T[uniform.position],
        "affinity_softmax": exponential / exponential.sum(axis=1, keepdims=True),
    }


@pytest.mark.parametrize("target", sorted(REFERENCE))
@pytest.mark.parametrize("estimator", ["ips", "snips", "dm", "dr", "sndr"])
def test_values_agree_with_the_open_bandit_pipeline(
    uniform: Log, targets: dict[str, NDArray[np.float64]], target: str, estimator: Estimator
) -> None:
    model = 0.002 + 0.004 * (uniform.affinity > 0) + 0.001 * (np.arange(ITEMS) % 5)
    found = off_policy_value(
        uniform.item.tolist(),
        uniform.click,
        uniform.propensity,
        targets[target],
        model,
        estimator=estimator,
    )
    assert isinstance(found, Estimate)
    assert found.estimate == pytest.approx(REFERENCE[target][estimator], rel=1e-9)


def test_the_uniform_policy_has_the_value_that_was_seen(uniform: Log) -> None:
    policy = np.full((len(uniform.item), ITEMS), 1.0 / ITEMS)
    found = off_policy_value(uniform.item.tolist(), uniform.click, uniform.propensity, policy)
    assert isinstance(found, Estimate)
    assert found.estimate == pytest.approx(uniform.click.mean(), rel=1e-12)


def test_the_bandit_beats_the_random_policy_on_the_real_contexts(uniform: Log) -> None:
    """Contexts as they came in the log, and three items that different users like. Rewards are drawn: what
    the real ones can say, which is too little, is tested below.
    """
    rng = np.random.default_rng(20)
    names = ("a", "b", "c")
    known = sorted({user[0] for user in uniform.users})
    features = np.array([[1.0, *(float(user[0] == each) for each in known)] for user in uniform.users])
    likes = 0.05 + 0.25 * np.array(
        [[user[0] == known[k % len(known)] for k in range(3)] for user in uniform.users]
    )
    half = len(features) // 2

    shown = rng.integers(0, 3, len(features))
    reward = (rng.random(len(features)) < likes[np.arange(len(features)), shown]).astype(float)
    sums = {}
    for k, name in enumerate(names):
        rows = np.flatnonzero(shown[:half] == k)
        x, y = features[rows], reward[rows]
        gram = tuple(map(tuple, (x.T @ x).tolist()))
        sums[name] = ObservedLinear(float(len(rows)), gram, tuple((x.T @ y).tolist()), float(y @ y))
    arms, deviation = learn(sums, names, features.shape[1], sign=1, l2=1.0)
    rule = {"choice": "thompson", "floor": 0.05, "scale": deviation, "arms": arms}
    scorer = Scorer(rule, dict.fromkeys(names, 1.0))
    policy = np.array([scorer.probabilities(x) for x in features[half:].tolist()])

    chances = np.full(len(features) - half, 1 / 3)
    learnt = off_policy_value(shown[half:].tolist(), reward[half:], chances, policy, estimator="snips")
    at_random = off_policy_value(shown[half:].tolist(), reward[half:], chances, np.full(policy.shape, 1 / 3))
    assert isinstance(learnt, Estimate)
    assert isinstance(at_random, Estimate)
    assert learnt.low > at_random.high
    even = np.full(policy.shape, 1 / 3)
    more = off_policy_contrast(shown[half:].tolist(), reward[half:], chances, policy, even, estimator="snips")
    assert isinstance(more, Estimate)
    assert more.low > 0.0
    truth = float((policy * likes[half:]).sum(axis=1).mean())
    assert learnt.low <= truth <= learnt.high
    gain = truth - float(likes[half:].mean())
    assert more.low <= gain <= more.high


def test_the_contrast_on_real_clicks_is_that_of_the_clicks_alone(
    uniform: Log, targets: dict[str, NDArray[np.float64]]
) -> None:
    target = targets["thompson_frequencies"]
    even = np.full(target.shape, 1.0 / ITEMS)
    logged = uniform.item.tolist(), uniform.click, uniform.propensity
    n = len(uniform.item)
    chosen = target[np.arange(n), uniform.item]

    found = off_policy_contrast(*logged, target, even, least=0.0)
    assert isinstance(found, Estimate)
    ratios = [float(share) * ITEMS - 1.0 for share, click in zip(chosen, uniform.click, strict=True) if click]
    mean = fsum(ratios) / n
    error = sqrt((fsum(ratio**2 for ratio in ratios) - n * mean**2) / (n - 1) / n)
    assert (found.estimate, found.standard_error) == pytest.approx((mean, error), rel=1e-9)

    found = off_policy_contrast(*logged, target, even, estimator="snips", least=0.0)
    assert isinstance(found, Estimate)
    pairs = list(zip(chosen.tolist(), uniform.click.tolist(), strict=True))
    total = fsum(share for share, _ in pairs)
    value, average = fsum(share * click for share, click in pairs) / total, len(ratios) / n
    terms = [share * n / total * (click - value) - (click - average) for share, click in pairs]
    assert found.estimate == pytest.approx(value - average, rel=1e-9)
    assert found.standard_error == pytest.approx(
        sqrt(fsum(term**2 for term in terms) / (n - 1) / n), rel=1e-9
    )


def test_pairing_makes_it_surer_and_yet_the_clicks_are_too_few(
    uniform: Log, targets: dict[str, NDArray[np.float64]]
) -> None:
    """The frequent choices of Thompson sampling are ahead of random ones, and not for sure."""
    target = targets["thompson_frequencies"]
    even = np.full(target.shape, 1.0 / ITEMS)
    logged = uniform.item.tolist(), uniform.click, uniform.propensity
    found = off_policy_contrast(*logged, target, even, least=0.0)
    apart = [off_policy_value(*logged, policy) for policy in (target, even)]
    assert isinstance(found, Estimate)
    errors = [each.standard_error for each in apart if isinstance(each, Estimate)]
    assert len(errors) == 2
    assert found.standard_error < 0.75 * hypot(*errors)
    assert found.low < 0.0 < found.estimate < found.high
    assert isinstance(off_policy_contrast(*logged, target, even), NotEstimable)


@pytest.mark.parametrize("choice", ["thompson", "ucb"])
def test_what_is_learnt_from_real_clicks_is_not_said_to_beat_random_on_real_clicks(
    uniform: Log, thompson: Log, choice: str
) -> None:
    """Learnt from one whole log by two of the user's features (all would take the test ten seconds), with the
    defaults, and valued on the other whole log.

    An interval would rest on less than one click, and be sure of a loss. The exact test says that there is
    none to be seen, and no gain: the items that were clicked have the policy's favour neither more nor less
    than items drawn at random in their place.
    """
    names = tuple(f"{item:02d}" for item in range(ITEMS))
    known = {user[:2] for user in (*uniform.users, *thompson.users)}
    encoder = Encoder(
        [Feature(f"u{k}", header=f"u{k}", values=tuple(sorted({user[k] for user in known}))) for k in (0, 1)]
    )
    vectors = np.array([encoder.encode(user[:2]) for user in thompson.users])
    log = Decisions(names, vectors, thompson.item, thompson.propensity, thompson.click)
    arms, deviation = learn(log.sums(), names, encoder.dimension, sign=1, l2=1.0)
    scorer = Scorer(
        {"choice": choice, "floor": 0.05, "scale": deviation, "arms": arms}, dict.fromkeys(names, 1.0)
    )
    probabilities = cache(lambda user: tuple(scorer.probabilities(encoder.encode(user))))
    policy = np.array([probabilities(user[:2]) for user in uniform.users])

    even = np.full(policy.shape, 1.0 / ITEMS)
    found = off_policy_contrast(uniform.item.tolist(), uniform.click, uniform.propensity, policy, even)
    assert isinstance(found, NotEstimable)
    assert "rewarded decisions tell the policies apart" in found.reason
    wrong = off_policy_contrast(
        uniform.item.tolist(), uniform.click, uniform.propensity, policy, even, least=0.0
    )
    assert isinstance(wrong, Estimate)
    assert wrong.high < 0.0

    clicks = np.flatnonzero(uniform.click)
    seen = policy[clicks, uniform.item[clicks]].sum()
    rng = np.random.default_rng(7)
    drawn = policy[clicks, rng.integers(0, ITEMS, (5000, len(clicks)))].sum(axis=1)
    assert np.mean(drawn >= seen - 1e-9) > 0.025
    assert np.mean(drawn <= seen + 1e-9) > 0.025
