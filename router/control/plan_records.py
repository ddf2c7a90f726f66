"""How is a plan computed, recorded, and computed again from its record to the same answer?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from math import isclose
from typing import TYPE_CHECKING, Any, Final

import msgspec

from policies.metric import BetaPrior, MetricSpec, NormalPrior
from policies.plan import Plan
from policies.policy import Allocation, Policy
from router.experiment_policy import allocation_of, policy_with_parameters
from router.settings import Experiment
from router.store.plans import Planned, PlanRecord

if TYPE_CHECKING:
    from policies.statistics.observed import Observed


# In bytes of JSON. Every worker reads the rule, and with it what the state keeps of all plans.
_LARGEST: Final = {"progress": 64 * 1024, "findings": 64 * 1024, "rule": 4 * 1024 * 1024}

_ROUNDING: Final = 1e-9


class UnusablePlan(ValueError):
    """A policy gave something that is no plan, or that cannot be kept."""


def seed_of(experiment: str, epoch: int, now: float) -> int:
    """The seed of the plan that is made ``now`` (unix seconds) in an epoch."""
    return int.from_bytes(sha256(f"{experiment}.{epoch}.{now!r}".encode()).digest()[:8], "big")


def compute(
    policy: Policy, observed: Observed | None, now: float, seed: int | None, given: Mapping[str, Any]
) -> Plan:
    """The plan of a policy; `UnusablePlan` where what it says is not of JSON's types, or too large."""
    rng = None
    if seed is not None:
        from numpy.random import default_rng  # in the planner's thread, never on the loop

        rng = default_rng(seed)
    plan = policy.plan(observed, now, rng, given)
    if not isinstance(plan, Plan):
        raise UnusablePlan(f"the policy returned {type(plan).__name__}; allowed: a Plan")
    said = {"progress": plan.progress, "findings": plan.findings, "rule": plan.rule}
    for name, each in said.items():
        if _again(name, each) != each:
            raise UnusablePlan(f"the plan's {name} is not of JSON's types")
    return plan


def record_of(
    name: str,
    experiment: Experiment,
    epoch: int,
    now: float,
    given: Mapping[str, Any],
    observed: Observed | None,
    seed: int | None,
    plan: Plan,
) -> PlanRecord:
    """The record of the plan that opens ``epoch`` at ``now``, from what `compute` was given."""
    seen = None
    if observed is not None:
        from policies.statistics.observed import to_json

        seen = to_json(observed)
    return PlanRecord(
        experiment=name,
        epoch=epoch,
        at=now,
        policy=dict(experiment.policy),
        allocation=_plain(asdict(allocation_of(name, experiment))),
        given=dict(given),
        observed=seen,
        seed=seed,
        planned=planned_of(plan),
    )


def planned_of(plan: Plan) -> Planned:
    """A plan as its record has it."""
    return Planned(
        salt=plan.salt,
        weights=dict(plan.weights),
        copies=dict(plan.copies),
        draw=plan.draw,
        rule=None if plan.rule is None else dict(plan.rule),
        why=plan.why,
        findings=dict(plan.findings),
        progress=dict(plan.progress),
    )


def replay(record: PlanRecord) -> Plan:
    """The plan computed again; takes numpy where something had been observed, so call it in a thread.

    `router.problems.InvalidConfiguration` where the policy is not there any more, or takes other parameters.
    """
    policy, parameters = policy_with_parameters(record.policy, ("policy",))
    observed = None
    if record.observed is not None:
        from policies.statistics.observed import from_json

        observed = from_json(record.observed)
    ready = policy(_allocation(record.allocation), parameters)
    return compute(ready, observed, record.at, record.seed, record.given)


def same(record: PlanRecord, plan: Plan) -> bool:
    """Whether a plan is what the record says; numbers up to what another numpy or processor rounds."""
    return _alike(_plain(record.planned), _plain(planned_of(plan)))


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=_ROUNDING, abs_tol=_ROUNDING**2)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(each, other[name]) for name, each in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return type(one) is type(other) and bool(one == other)


def _allocation(data: Mapping[str, Any]) -> Allocation:
    metrics = tuple(MetricSpec(**{**each, "prior": _prior(each["prior"])}) for each in data["metrics"])
    return Allocation(data["salt"], data["weights"], data["control"], metrics)


def _prior(data: Mapping[str, float] | None) -> BetaPrior | NormalPrior | None:
    if data is None:
        return None
    return BetaPrior(**data) if "alpha" in data else NormalPrior(**data)


def _again(name: str, value: Any) -> Any:
    try:
        document = msgspec.json.encode(value)
        if len(document) > _LARGEST[name]:
            raise UnusablePlan(f"the plan's {name} has {len(document)} bytes; allowed: {_LARGEST[name]}")
        return msgspec.json.decode(document)
    except UnusablePlan:
        raise
    except (TypeError, ValueError, msgspec.MsgspecError, RecursionError, OverflowError) as error:
        raise UnusablePlan(f"the plan's {name} cannot be kept: {error}") from error


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))
