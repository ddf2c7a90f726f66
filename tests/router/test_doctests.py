"""Do the examples in the docstrings of the configuration and the command line hold?"""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = [
    "policies.assignment",
    "policies.policy",
    "router.cli.interval_plot",
    "router.config_file",
    "router.problems",
    "router.quantities",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    found = doctest.testmod(import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
