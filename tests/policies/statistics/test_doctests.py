"""Do the examples in the docstrings give what they say?"""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from policies import latency_cells
from policies.statistics import catalog

MODULES = [*catalog.modules(), latency_cells]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    failed, _ = doctest.testmod(module)
    assert failed == 0
