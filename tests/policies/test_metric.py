"""Is a metric that makes no sense refused, by name, with what is allowed?"""

from __future__ import annotations

import pytest

from policies.metric import BetaPrior, MetricSpec, NormalPrior


def test_sign_follows_the_goal() -> None:
    assert MetricSpec("clicks", "binary").sign == 1
    assert MetricSpec("cost", "mean", goal="decrease").sign == -1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": ""}, "needs a name"),
        ({"kind": "binry"}, "did you mean 'binary'"),
        ({"goal": "decrese"}, "did you mean 'decrease'"),
        ({"per": "user"}, "must be one of 'outcome', 'request'"),
        ({"margin": 0.0}, "margin must be finite and > 0"),
        ({"margin": float("nan")}, "margin must be finite"),
        ({"guardrail": True}, "needs a margin"),
        ({"cap": float("inf")}, "cap must be finite"),
        ({"covariate": "clicks"}, "its own covariate"),
        ({"prior": NormalPrior()}, "a binary metric takes a BetaPrior"),
        ({"kind": "mean", "prior": BetaPrior()}, "a mean metric takes a NormalPrior"),
    ],
)
def test_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MetricSpec(**{"name": "clicks", "kind": "binary", **arguments})


@pytest.mark.parametrize(
    "make", [lambda: BetaPrior(0.0, 1.0), lambda: BetaPrior(1.0, -1.0), lambda: NormalPrior(0.0, 0.0),
             lambda: NormalPrior(float("inf"))],
)  # fmt: skip
def test_impossible_priors_are_refused(make: object) -> None:
    with pytest.raises(ValueError, match="prior"):
        make()
