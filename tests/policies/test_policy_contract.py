"""Does every policy that can be configured keep the promises that the seam makes?"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.metric import MetricSpec
from policies.plan import Plan
from policies.policy import Allocation, Policy, UnknownPolicy, UnusablePolicy, find_policy, known_kinds
from policies.statistics.evidence import BucketSums, EpochEvidence, ExperimentEvidence, VariantEvidence
from policies.statistics.observed import Observed, from_json, observe, to_json
from tests import plug_ins

KINDS = known_kinds()
NOW = 1_700_000_000.0

METRIC = MetricSpec("clicked", "binary")

weights = st.fixed_dictionaries({"champion": st.floats(0.01, 100), "challenger": st.floats(0.01, 100)})
seeds = st.integers(0, 2**32 - 1)


def make(kind: str, some: dict[str, float]) -> Policy:
    policy = find_policy(kind)
    return policy(Allocation("salt", some, "champion", (METRIC,)), policy.Parameters())


def variant(rng: np.random.Generator) -> VariantEvidence:
    requests = rng.integers(0, 50, 1024)
    cells = np.zeros((32, 600), dtype=np.int64)
    return VariantEvidence(
        requests=requests,
        errors=rng.binomial(requests, 0.01),
        first_byte=np.asarray(requests * 0.010, np.float64),
        last_byte=np.asarray(requests * 0.012, np.float64),
        units=float(requests.sum()) / 4,
        units_variance=1.0,
        first_byte_histogram=cells,
        last_byte_histogram=cells,
        outcomes={"clicked": BucketSums(requests, rng.binomial(requests, 0.1))},
        immature_requests=0,
    )


def observed(policy: Policy, some: dict[str, float], seed: int) -> Observed:
    rng = np.random.default_rng(seed)
    epoch = EpochEvidence(
        number=1,
        started=NOW - 3600,
        ended=None,
        weights=some,
        variants={name: variant(rng) for name in some},
    )
    evidence = ExperimentEvidence(experiment="ranker", control="champion", epochs=(epoch,))
    return observe(evidence, [METRIC], policy.latency_limits)


def test_the_service_brings_at_least_the_split() -> None:
    assert "split" in KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_has_its_own_name_a_docstring_and_frozen_parameters_with_defaults(kind: str) -> None:
    policy = find_policy(kind)
    assert policy.kind == kind
    assert policy.__doc__
    assert dataclasses.is_dataclass(policy.Parameters)
    assert policy.Parameters.__dataclass_params__.frozen  # type: ignore[attr-defined]  # not in typeshed
    assert policy.Parameters() == policy.Parameters()
    assert "kind" not in {field.name for field in dataclasses.fields(policy.Parameters)}


@pytest.mark.parametrize("kind", KINDS)
@given(some=weights)
def test_at_the_start_there_is_a_plan(kind: str, some: dict[str, float]) -> None:
    assert_usable(make(kind, some).plan(None, NOW, None, {}), some)


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_how_often_it_plans_and_at_which_latencies_it_looks(kind: str) -> None:
    policy = make(kind, {"champion": 50.0, "challenger": 50.0})
    assert policy.interval is None or policy.interval > 0
    assert all(limit > 0 for limit in policy.latency_limits)


@pytest.mark.parametrize("kind", KINDS)
@given(some=weights, seed=seeds)
def test_a_plan_has_the_allocations_names_and_salt(kind: str, some: dict[str, float], seed: int) -> None:
    policy = make(kind, some)
    begun = policy.plan(None, NOW - 3600, None, {})
    seen = observed(policy, dict(begun.weights), seed)
    plan = policy.plan(seen, NOW, np.random.default_rng(seed), begun.progress)
    assert_usable(plan, some)


@pytest.mark.parametrize("kind", KINDS)
@given(some=weights, seed=seeds)
def test_a_plan_follows_from_its_arguments_alone(kind: str, some: dict[str, float], seed: int) -> None:
    policy = make(kind, some)
    begun = policy.plan(None, NOW - 3600, None, {})
    seen = observed(policy, dict(begun.weights), seed)
    first = policy.plan(seen, NOW, np.random.default_rng(seed), begun.progress)
    other = observed(policy, dict(begun.weights), seed + 1)
    make(kind, some).plan(other, NOW + 60, np.random.default_rng(seed + 1), {})
    stored = from_json(json.loads(json.dumps(to_json(seen))))
    notes = json.loads(json.dumps(begun.progress))
    for again in (policy, make(kind, some)):
        assert again.plan(stored, NOW, np.random.default_rng(seed), notes) == first


def assert_usable(plan: Plan, some: dict[str, float]) -> None:
    assert plan.salt == "salt"
    assert set(plan.weights) == set(some) | set(plan.copies)
    assert plan.arms
    for said in (plan.progress, plan.findings, plan.rule):
        assert json.loads(json.dumps(said, allow_nan=False)) == said


def test_a_split_keeps_the_operators_weights() -> None:
    some = {"champion": 90.0, "challenger": 10.0, "paused": 0.0}
    assert make("split", some).plan(None, NOW, None, {}).weights == some


def test_an_unknown_kind_is_refused_with_the_known_and_the_nearest() -> None:
    with pytest.raises(UnknownPolicy) as caught:
        find_policy("splitt")
    assert caught.value.nearest == "split"
    assert caught.value.known == KINDS
    assert "did you mean 'split'" in str(caught.value)


class TestInstalledPackages:
    """A real distribution on the path, with an entry point, as pip would leave it there."""

    @pytest.fixture
    def install(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        def install(kind: str, target: str, code: str) -> None:
            plug_ins.install(tmp_path, kind, target, code)
            monkeypatch.syspath_prepend(str(tmp_path))

        return install

    def test_one_adds_a_kind(self, install: Any) -> None:
        install(
            "first-only",
            "first_only_policy:FirstOnly",
            "from dataclasses import dataclass\n"
            "from policies.plan import Plan\n"
            "@dataclass(frozen=True)\n"
            "class Nothing: pass\n"
            "class FirstOnly:\n"
            "    kind = 'first-only'\n"
            "    Parameters = Nothing\n"
            "    def __init__(self, allocation, parameters):\n"
            "        self.allocation = allocation\n"
            "    interval = None\n"
            "    latency_limits = ()\n"
            "    def plan(self, observed, now, rng, progress):\n"
            "        control = self.allocation.control\n"
            "        return Plan(self.allocation.salt, {n: n == control for n in self.allocation.weights})\n",
        )
        assert "first-only" in known_kinds()
        plan = make("first-only", {"champion": 1, "challenger": 1}).plan(None, NOW, None, {})
        assert [arm.decision.variant for arm in plan.arms] == ["champion"]

    def test_one_that_cannot_be_imported_is_named(self, install: Any) -> None:
        install("broken", "broken_policy:Broken", "import module_that_is_nowhere\n")
        with pytest.raises(UnusablePolicy, match=r"'broken' cannot be loaded.*module_that_is_nowhere"):
            find_policy("broken")

    def test_one_that_is_no_policy_is_refused(self, install: Any) -> None:
        install("odd", "odd_policy:Odd", "class Odd: kind = 'even'\n")
        with pytest.raises(
            UnusablePolicy, match="calls itself 'even'; it lacks plan, Parameters, interval, latency_limits"
        ):
            find_policy("odd")
