"""Do the examples in the bandits' docstrings hold?"""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("name", ["beliefs", "chances", "learning", "memory", "proportions"])
def test_examples_hold(name: str) -> None:
    found = doctest.testmod(import_module(f"policies.bandit.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
