"""Is the example configuration usable, complete, and right about the defaults?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import Struct

from router.config_file import load
from router.description import describe
from router.settings import (
    Analysis,
    Backend,
    Experiment,
    Limits,
    Metric,
    Route,
    Settings,
    UnitCookie,
    UnitSource,
    Variant,
)

FILE = Path(__file__).parents[2] / "deploy" / "turnout.yaml"
TYPES = [Settings, Backend, Route, Experiment, UnitSource, UnitCookie, Variant, Metric, Analysis, Limits]


def test_it_can_be_used_without_a_warning() -> None:
    assert describe(load(FILE)).warnings == ()


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_it_shows_everything_that_can_be_set(kind: type[Struct]) -> None:
    text = FILE.read_text("utf-8")
    assert [name for name in kind.__struct_fields__ if not re.search(rf"\b{name}:\s", text)] == []


def test_what_it_calls_a_default_is_one() -> None:
    settings = load(FILE)
    assert settings.limits == Limits()

    shorter = "\n".join(line for line in FILE.read_text("utf-8").splitlines() if "# default" not in line)
    assert shorter != FILE.read_text("utf-8")
    assert load(shorter) == settings
