"""Is Fieller's set what it is defined to be, for dependent means and on either side of zero?"""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policies.statistics.lift.fieller import fieller_set

MEANS = st.floats(-5.0, 5.0).filter(lambda x: abs(x) > 0.01)


@given(a=MEANS, b=MEANS, error=st.floats(0.01, 2.0), correlation=st.floats(-0.9, 0.9), q=st.floats(0.5, 5.0))
def test_its_ends_are_the_lifts_at_which_the_contrast_is_critical(
    a: float, b: float, error: float, correlation: float, q: float
) -> None:
    var_a, var_b = error**2, (0.6 * error) ** 2
    cov = correlation * 0.6 * error**2
    found = fieller_set(a, b, var_a, var_b, cov, q)
    assume(abs(found.g - 1.0) > 1e-3)
    if found.shape == "everything":
        # Not even the best ratio is rejected: the contrast stays within q at all of a fine grid.
        ratios = [x / 50.0 for x in range(-1000, 1000)]
        assert all(
            (b - r * a) ** 2 <= q**2 * (var_b - 2 * r * cov + r * r * var_a) * (1 + 1e-9) for r in ratios
        )
        return
    for lift in (found.low, found.high):
        ratio = 1.0 + lift if a > 0 else 1.0 - lift
        spread = var_b - 2.0 * ratio * cov + ratio**2 * var_a
        assert (b - ratio * a) ** 2 == pytest.approx(q**2 * spread, rel=1e-4, abs=1e-9)
    assert (found.shape == "bounded") == (found.g < 1.0)
    inside = (b - a) / abs(a)
    assert (found.low <= inside + 1e-9 and inside - 1e-9 <= found.high) == (found.shape == "bounded") or (
        found.shape == "unbounded" and not found.low + 1e-9 < inside < found.high - 1e-9
    )


def test_a_negative_control_counts_by_its_size() -> None:
    up, down = fieller_set(2.0, 3.0, 0.01, 0.01, 0.0, 2.0), fieller_set(-2.0, -3.0, 0.01, 0.01, 0.0, 2.0)
    assert (down.low, down.high) == pytest.approx((-up.high, -up.low))
