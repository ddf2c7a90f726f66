"""Do the examples in the docstrings hold?"""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = ("bounded_mean", "compare", "json_difference", "pointers", "rank_overlap")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    found = doctest.testmod(import_module(f"policies.shadow.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
