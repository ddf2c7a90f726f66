"""Does off-policy evaluation hold on real logged decisions, and does the contextual bandit learn from their
contexts?
"""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from policies.contextual.learning import learn
from policies.contextual.scoring import Scorer
from policies.statistics.adaptive.off_policy import Estimator, off_policy_value
from policies.statistics.observed import ObservedLinear
from policies.statistics.result import Estimate

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
def targets(uniform: Log) -> dict[str, NDArray[np.float64]]:
    """Each target policy's probabilities of all items, (n, K)."""
    thompson = read("thompson")
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
    """Contexts as they came in the log, and three items that different users like: there are 38 clicks in
    10,000 real decisions, too few for any policy to be told from another, so here rewards are drawn.
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
    truth = float((policy * likes[half:]).sum(axis=1).mean())
    assert learnt.low <= truth <= learnt.high
