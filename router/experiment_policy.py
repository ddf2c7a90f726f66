"""Which policy does an experiment's configuration ask for?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from policies.metric import MetricSpec
from policies.plan import Draw, Plan
from policies.policy import (
    NOT_BEFORE,
    Allocation,
    Policy,
    UnknownPolicy,
    UnusablePolicy,
    find_policy,
    is_own,
    known_kinds,
)
from router.in_time import in_time
from router.metric_priors import prior_of
from router.problems import ABSENT, InvalidConfiguration, Path, Problem, listed
from router.settings import Experiment
from router.typed_reader import TypedReader

_T = TypeVar("_T")


def allocation_of(name: str, experiment: Experiment) -> Allocation:
    """The configured weights under the experiment's salt, which is its name where it has none."""
    weights = {variant: arm.weight for variant, arm in experiment.variants.items()}
    return Allocation(experiment.salt or name, weights, experiment.control, metrics_of(experiment))


def metrics_of(experiment: Experiment) -> tuple[MetricSpec, ...]:
    """The metrics, as policies and statistics take them."""
    return tuple(
        MetricSpec(
            name=metric.name,
            kind=metric.kind,
            goal=metric.goal,
            per=metric.per,
            margin=metric.margin,
            guardrail=metric.guardrail,
            cap=metric.cap,
            covariate=metric.covariate,
            prior=prior_of(metric),
        )
        for metric in experiment.metrics
    )


def has_metrics(experiment: Experiment) -> bool:
    """Whether its metrics can be had at all; what is wrong with one that cannot is said where it stands."""
    try:
        metrics_of(experiment)
    except ValueError:
        return False
    return True


def policy_of(name: str, experiment: Experiment) -> Policy:
    """The policy, ready to plan; `InvalidConfiguration` where kind or parameters cannot be used."""
    path: Path = ("experiments", name, "policy")
    policy, parameters = policy_with_parameters(experiment.policy, path)
    try:
        return _bounded(
            experiment.policy, path, "is made", lambda: policy(allocation_of(name, experiment), parameters)
        )
    except ValueError as error:
        problem = Problem(path, ABSENT, f"does not fit this experiment: {error}", "parameters that do")
        raise InvalidConfiguration([problem]) from None


def first_plan(name: str, experiment: Experiment, now: float) -> Plan:
    """What its policy plans at ``now`` (unix seconds) before anything is seen.

    `InvalidConfiguration` where it cannot be made, fails, takes too long, or gives what is no plan of this
    experiment.
    """
    policy = policy_of(name, experiment)
    path: Path = ("experiments", name, "policy")
    try:
        plan = _bounded(experiment.policy, path, "plans", lambda: policy.plan(None, now, None, {}))
        check_plan(name, plan, experiment)
    except ValueError as error:
        problem = Problem(path, ABSENT, f"cannot plan: {error}", "a policy that can")
        raise InvalidConfiguration([problem]) from None
    return plan


class _Typed(Struct):
    """What of a `Plan` has types of its own."""

    salt: str
    weights: dict[str, float]
    copies: dict[str, str]
    draw: Draw
    why: str


def check_plan(name: str, plan: object, experiment: Experiment) -> None:
    """`ValueError` where it is no plan, or its weights are not the variants' and their copies'.

    And where it is not of a plan's types: such a state could be written, and nobody could read it again.
    """
    if not isinstance(plan, Plan):
        raise ValueError(f"the policy returned {type(plan).__name__}; allowed: a Plan")
    try:
        said = {each: getattr(plan, each) for each in _Typed.__struct_fields__}
        msgspec.convert({**said, "copies": dict(plan.copies)}, _Typed)
        msgspec.convert(plan.progress.get(NOT_BEFORE, 0.0), float)
    except msgspec.ValidationError as error:
        raise ValueError(f"the policy returned no sound plan: {error}") from None
    wanted = experiment.variants.keys() | (plan.copies.keys() & plan.weights.keys())
    if plan.weights.keys() != wanted:
        raise ValueError(
            f"plan of {name!r} has weights for {sorted(plan.weights)}; allowed: {sorted(wanted)}"
        )


def policy_with_parameters(data: Mapping[str, Any], path: Path) -> tuple[type[Policy], Any]:
    """The kind's class and its typed parameters, from the configuration at ``path``."""
    kind = data.get("kind", ABSENT)
    if not isinstance(kind, str):
        wrong = "is missing" if kind is ABSENT else "does not fit"
        problem = Problem((*path, "kind"), kind, wrong, listed(known_kinds()))
        raise InvalidConfiguration([problem])
    try:
        policy = _bounded({"kind": kind}, path, "is imported", lambda: find_policy(kind))
    except UnknownPolicy as error:
        known = listed(error.known)
        problem = Problem((*path, "kind"), kind, "is no known policy", known, error.nearest)
        raise InvalidConfiguration([problem]) from None
    except UnusablePolicy as error:
        problem = Problem((*path, "kind"), kind, f"cannot be used: {error}", listed(known_kinds()))
        raise InvalidConfiguration([problem]) from None

    reader = TypedReader()
    parameters = reader.record(policy.Parameters, data, path, beside=("kind",))
    if reader.problems:
        raise InvalidConfiguration(reader.problems)
    return policy, parameters


def _bounded(policy: Mapping[str, Any], path: Path, doing: str, job: Callable[[], _T]) -> _T:
    """What a policy's code returns, or its `ValueError`; `InvalidConfiguration` where it does neither.

    Turnout's own is run as it is. What an installed package's raises stops here, and so does what hangs.
    """
    if is_own(str(policy["kind"])):
        return job()
    try:
        return in_time((doing, *path, repr(policy)), job)
    except ValueError:
        raise
    except TimeoutError as error:
        wrong = f"{error}, when it {doing}"
    except Exception as error:
        wrong = f"fails with {error!r}, when it {doing}"
    raise InvalidConfiguration([Problem(path, ABSENT, wrong, "a policy that comes to an end")])
