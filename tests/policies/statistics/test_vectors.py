"""Does every method give the numbers that independent libraries give?"""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

_vectors = runpy.run_path(str(Path(__file__).with_name("vectors.py")))
ADAPTERS = _vectors["adapters"]()


@pytest.mark.parametrize("vector", list(_vectors["vectors"]()), ids=lambda vector: vector["id"])
def test_vector(vector: dict) -> None:
    got = _vectors["computed"](vector, ADAPTERS)
    wrong = list(_vectors["differences"](vector["expected"], got, vector["tolerance"]))
    assert not wrong, f"{vector['id']} ({vector.get('source')}): {wrong}"
