"""What prior does a metric's configuration state, and can it be used?"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from policies.metric import BetaPrior, NormalPrior
from router.problems import ABSENT, Path, Problem
from router.settings import Metric

_ALLOWED = {
    "binary": "for kind binary {a: SUCCESSES, b: FAILURES}, both above 0",
    "mean": "for kind mean {mean: NUMBER, deviation: NUMBER}, the deviation above 0",
}
_FIELDS = {"binary": ("a", "b"), "mean": ("mean", "deviation")}


def check(metric: Metric, path: Path) -> Iterator[Problem]:
    """What is wrong with the metric's prior; ``path`` is the metric's."""
    prior, here, allowed = metric.prior, (*path, "prior"), _ALLOWED[metric.kind]
    if prior is None:
        return
    usual = _FIELDS[metric.kind]
    for field in prior.__struct_fields__:
        value = getattr(prior, field)
        if field in usual and value is None:
            yield Problem((*here, field), ABSENT, "is missing", allowed)
        elif field not in usual and value is not None:
            yield Problem((*here, field), value, f"says nothing of a {metric.kind} metric", allowed)
        elif value is not None and not (isfinite(value) and (value > 0 or field == "mean")):
            wrong = "is not finite" if not isfinite(value) else "is not above 0"
            yield Problem((*here, field), value, wrong, allowed)


def prior_of(metric: Metric) -> BetaPrior | NormalPrior | None:
    """The metric's prior as statistics and policies take it; ValueError where ``check`` finds it wrong."""
    prior = metric.prior
    if prior is None:
        return None
    if prior.a is not None and prior.b is not None:
        return BetaPrior(prior.a, prior.b)
    if prior.mean is not None and prior.deviation is not None:
        return NormalPrior(prior.mean, prior.deviation)
    raise ValueError(f"the prior of metric {metric.name!r} is incomplete; allowed: {_ALLOWED[metric.kind]}")
