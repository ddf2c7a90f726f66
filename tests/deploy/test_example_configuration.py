"""Is the example configuration usable, complete, and right about the defaults?"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from policies.bandit.parameters import Guardrail
from policies.canary.parameters import Guardrails, LatencyGuardrail
from policies.canary.parameters import Step as CanaryStep
from policies.contextual.features import Feature
from policies.kinds.split import Step as SplitStep
from policies.policy import find_policy, known_kinds
from policies.steering import Webhook
from router import settings as module
from router.config_file import load
from router.description import describe
from router.experiment_policy import policy_with_parameters
from router.settings import Limits, Settings

FILE = Path(__file__).parents[2] / "deploy" / "turnout.yaml"
TEXT = FILE.read_text("utf-8")
TYPES = [each for each in vars(module).values() if isinstance(each, type) and Struct in each.__bases__]
OF_POLICIES = [
    *(find_policy(kind).Parameters for kind in known_kinds()),
    *(SplitStep, CanaryStep, Guardrails, LatencyGuardrail, Webhook, Guardrail, Feature),
]


def shown(name: str) -> bool:
    return re.search(rf"\b{name}:\s", TEXT) is not None


def resolved(settings: Settings) -> Settings:
    """With each policy's parameters as they are in force."""
    return replace(
        settings,
        experiments={
            name: replace(each, policy={"in force": policy_with_parameters(each.policy, ())})
            for name, each in settings.experiments.items()
        },
    )


def test_it_can_be_used_without_a_warning() -> None:
    assert describe(load(FILE)).warnings == ()


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_it_shows_everything_that_can_be_set(kind: type[Struct]) -> None:
    assert [name for name in kind.__struct_fields__ if not shown(name)] == []


@pytest.mark.parametrize("kind", OF_POLICIES, ids=lambda kind: kind.__name__)
def test_it_shows_everything_that_policies_can_be_told(kind: Any) -> None:
    names = [each.metadata.get("name", each.name) for each in dataclasses.fields(kind)]
    assert names
    assert [name for name in names if not shown(name)] == []


@pytest.mark.parametrize("kind", known_kinds())
def test_it_names_every_kind_of_policy(kind: str) -> None:
    assert re.search(rf"\b{kind}\b", TEXT)


def test_what_it_calls_a_default_is_one() -> None:
    settings = load(FILE)
    assert settings.limits == Limits()

    shorter = "\n".join(line for line in TEXT.splitlines() if not re.search(r"# default(?!:)", line))
    assert shorter != TEXT
    assert resolved(load(shorter)) == resolved(settings)
