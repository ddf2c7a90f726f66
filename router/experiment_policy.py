"""Which policy does an experiment's configuration ask for?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policies.metric import MetricSpec
from policies.policy import Allocation, Policy, UnknownPolicy, UnusablePolicy, find_policy, known_kinds
from router.metric_priors import prior_of
from router.problems import ABSENT, InvalidConfiguration, Path, Problem, listed
from router.settings import Experiment
from router.typed_reader import TypedReader


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
        return policy(allocation_of(name, experiment), parameters)
    except ValueError as error:
        problem = Problem(path, ABSENT, f"does not fit this experiment: {error}", "parameters that do")
        raise InvalidConfiguration([problem]) from None


def policy_with_parameters(data: Mapping[str, Any], path: Path) -> tuple[type[Policy], Any]:
    """The kind's class and its typed parameters, from the configuration at ``path``."""
    kind = data.get("kind", ABSENT)
    if not isinstance(kind, str):
        wrong = "is missing" if kind is ABSENT else "does not fit"
        problem = Problem((*path, "kind"), kind, wrong, listed(known_kinds()))
        raise InvalidConfiguration([problem])
    try:
        policy = find_policy(kind)
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
