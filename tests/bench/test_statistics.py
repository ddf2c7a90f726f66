"""Does the measured table fail what is outside its band, and nothing else, at any share of the runs?"""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

import bench.statistics
from bench.statistics import Row, markdown, widened

ROW = Row("a world", "a method", 0.05, (0.04, 0.06), runs=10_000, planned=10_000)


def test_with_all_runs_the_band_is_the_contracts() -> None:
    assert ROW.allowed == ROW.band
    assert replace(ROW, runs=20_000).allowed == ROW.band
    assert [replace(ROW, measured=x).verdict for x in (0.0399, 0.04, 0.06, 0.0601)] == [
        "FAIL",
        "pass",
        "pass",
        "FAIL",
    ]
    assert replace(ROW, band=None).verdict == ""


@pytest.mark.parametrize("scale", [0.004, 0.02, 0.1, 0.5])
@pytest.mark.parametrize("passed", [400, 600, 501])
def test_with_fewer_runs_chance_does_not_fail_what_is_sound(scale: float, passed: int) -> None:
    runs = int(10_000 * scale)
    seen = np.random.default_rng(7).hypergeometric(passed, 10_000 - passed, runs, 2000) / runs
    failed = [replace(ROW, measured=float(x), runs=runs).verdict == "FAIL" for x in seen]
    assert sum(failed) <= 2


def test_what_is_far_off_still_fails_with_fewer_runs() -> None:
    assert replace(ROW, measured=0.2, runs=1000).verdict == "FAIL"
    assert replace(ROW, measured=0.0, runs=1000).verdict == "FAIL"


def test_an_end_that_no_share_can_pass_does_not_move() -> None:
    assert widened(0.0, -1, 40, 10_000) == 0.0
    assert widened(1.0, 1, 40, 10_000) == 1.0
    assert widened(0.001, -1, 40, 10_000) == 0.0


def test_both_bands_are_shown_where_they_differ() -> None:
    assert "allowed" not in markdown([ROW])
    assert "| 4 to 6 % | 1.6 to 8.9 % |" in markdown([replace(ROW, runs=1000)])


def test_its_examples() -> None:
    assert doctest.testmod(bench.statistics).failed == 0
