"""Is a metric's prior read, refused where it says nothing, and handed on to the statistics?"""

from __future__ import annotations

import pytest

from policies.metric import BetaPrior, NormalPrior
from router.config_file import load
from router.experiment_policy import metrics_of
from router.problems import InvalidConfiguration, Problem
from router.settings import Experiment

TEXT = """
backends: {one: {url: "http://127.0.0.1:9001"}, two: {url: "http://127.0.0.1:9002"}}
routes: [{path: /, backend: one, experiment: ranker}]
experiments:
  ranker:
    unit: [{header: x-user-id}]
    variants: {one: {backend: one, weight: 1}, two: {backend: two, weight: 1}}
    control: one
    metrics:
      - {name: bought, kind: binary, prior: {a: 2, b: 98.5}}
      - {name: revenue, kind: mean, prior: {mean: -3, deviation: 0.5}}
      - {name: plain, kind: mean}
"""


def ranker(text: str = TEXT) -> Experiment:
    return load(text).experiments["ranker"]


def test_priors_reach_the_statistics() -> None:
    bought, revenue, plain = metrics_of(ranker())
    assert bought.prior == BetaPrior(2.0, 98.5)
    assert revenue.prior == NormalPrior(-3.0, 0.5)
    assert plain.prior is None


def problems(old: str, new: str) -> list[Problem]:
    assert old in TEXT
    with pytest.raises(InvalidConfiguration) as raised:
        load(TEXT.replace(old, new))
    return list(raised.value.problems)


@pytest.mark.parametrize(
    ("old", "new", "pointer", "said"),
    [
        ("{a: 2, b: 98.5}", "{a: 2}", "0/prior/b", "is missing"),
        ("{a: 2, b: 98.5}", "{a: 0, b: 1}", "0/prior/a", "is not above 0"),
        ("{a: 2, b: 98.5}", "{a: 2, b: 1, mean: 0.5}", "0/prior/mean", "says nothing of a binary metric"),
        ("{mean: -3, deviation: 0.5}", "{mean: 3, deviation: -1}", "1/prior/deviation", "is not above 0"),
        ("{mean: -3, deviation: 0.5}", "{deviation: 1}", "1/prior/mean", "{mean: NUMBER, deviation: NUMBER}"),
        ("{mean: -3, deviation: 0.5}", "{mean: 3, deviation: .inf}", "1/prior/deviation", "finite"),
        ("{a: 2, b: 98.5}", "{a: 2, b: 1, c: 1}", "0/prior/c", "a, b"),
    ],
)
def test_a_prior_that_cannot_be_is_refused_where_it_stands(
    old: str, new: str, pointer: str, said: str
) -> None:
    (problem,) = problems(old, new)
    assert problem.pointer == f"/experiments/ranker/metrics/{pointer}"
    assert said in str(problem)


def test_the_other_kind_s_prior_is_refused_field_by_field() -> None:
    found = problems("{a: 2, b: 98.5}", "{mean: 0.5, deviation: 1}")
    pointers = [problem.pointer.rsplit("/", 1)[1] for problem in found]
    assert pointers == ["a", "b", "mean", "deviation"]
