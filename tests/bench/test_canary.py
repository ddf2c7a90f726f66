"""Does a row of the canaries' table say of how many runs, and nothing that none of them showed?"""

from __future__ import annotations

import pytest

from bench.canary import _row
from bench.simulations.canary import Rollout


@pytest.mark.parametrize("seconds", [(), (30.0,), (30.0, 60.0), (3.0, 4.0, 90.0)])
def test_nine_in_ten_is_within_what_was_seen(seconds: tuple[float, ...]) -> None:
    runs = [Rollout("Failed", each, 10) for each in seconds] + [Rollout("Progressing", 120.0, 99)]
    share, *times = _row(runs).replace(" s", "").split()
    assert share == f"{len(seconds) / len(runs):.2%}"
    shown = [float(each) for each in times if each != "-"]
    assert all(min(seconds) <= each <= max(seconds) for each in shown)
    assert len(shown) == min(len(seconds), 2)
