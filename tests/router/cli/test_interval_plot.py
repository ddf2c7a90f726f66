"""Does a plotted interval stand where its numbers say?"""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.cli.interval_plot import interval_plot


@pytest.mark.parametrize(
    ("bounds", "row"),
    [
        ((0.01, 0.02, 0.04), "        | [-o--] "),
        ((-0.04, -0.02, 0.04), " [--o---|------] "),
        ((-3, -2, -1), " [-o--] |        "),
        ((-inf, 2, inf), "<-------|------o>"),
        ((0, 0, 0), "        o        "),
    ],
)
def test_rows(bounds: tuple[float, float, float], row: str) -> None:
    assert interval_plot(*bounds, width=17) == row


@given(st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=3).map(sorted), st.sampled_from([5, 17, 25, 41]))
def test_it_mirrors_and_keeps_its_width(bounds: list[float], width: int) -> None:
    low, middle, high = bounds
    row = interval_plot(low, middle, high, width)
    mirrored = interval_plot(-high, -middle, -low, width)[::-1].translate(str.maketrans("[]<>", "][><"))
    assert len(row) == width
    assert row.index("o") == mirrored.index("o")
    assert set(row) <= set(" -[]|o")
