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


def test_a_path_that_is_no_file_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text("[]")
    assert _vectors["named"](f"{mine}:") == [mine]
    for path, what in ((tmp_path / "absent.json", "does not exist"), (tmp_path, "is a folder")):
        with pytest.raises(ValueError, match=what) as error:
            _vectors["named"](f"{mine}:{path}")
        assert str(path) in str(error.value)
        assert "separated by ':'" in str(error.value)
