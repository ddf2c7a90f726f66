"""Does every latency fall into the cell that stands for it?"""

from __future__ import annotations

from math import ceil, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.latency_cells import CELLS, GAMMA, RELATIVE_ERROR, cell, value

IN_RANGE = st.integers(1, int(GAMMA ** (CELLS - 1)))


@given(IN_RANGE)
def test_a_cell_stands_for_its_latencies_within_the_relative_error(microseconds: int) -> None:
    seconds = microseconds * 1e-6
    assert abs(value(cell(microseconds)) - seconds) <= RELATIVE_ERROR * seconds * (1 + 1e-9)


@given(IN_RANGE, IN_RANGE)
def test_cells_keep_the_order_of_latencies(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert cell(low) <= cell(high)


@given(IN_RANGE)
def test_the_cell_is_the_sketchs_logarithm(microseconds: int) -> None:
    exact = log(microseconds) / log(GAMMA)
    near_an_edge = abs(exact - round(exact)) < 1e-9
    assert near_an_edge or cell(microseconds) == ceil(exact)


def test_latencies_beyond_both_ends_are_counted_in_the_end_cells() -> None:
    assert [cell(us) for us in (-5, 0, 1, 10**18)] == [0, 0, 0, CELLS - 1]


def test_every_cell_is_within_reach_or_between_two_whole_microseconds() -> None:
    reached = {cell(int(us)) for us in np.unique(np.geomspace(1, 1e10, 200_000).astype(int))}
    assert reached >= set(range(200, 570))


@pytest.mark.parametrize("outside", [-1, CELLS])
def test_a_cell_that_is_not_there_is_refused(outside: int) -> None:
    with pytest.raises(ValueError, match=rf"cell must be in 0..{CELLS - 1}, got {outside}"):
        value(outside)
