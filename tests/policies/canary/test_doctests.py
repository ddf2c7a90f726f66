"""Do the examples in the docstrings hold?"""

from __future__ import annotations

import doctest

import policies.canary.methods


def test_examples() -> None:
    found = doctest.testmod(policies.canary.methods)
    assert found.attempted > 0
    assert found.failed == 0
