"""Is a wrong argument refused with its name, its value and what is allowed?"""

from __future__ import annotations

from math import inf, nan

import pytest

from policies.statistics.arguments import finite, nonnegative, one_of, positive, share


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 1.5, nan, inf])
def test_a_share_is_strictly_between_0_and_1(value: float) -> None:
    with pytest.raises(ValueError, match=rf"alpha must be in \(0, 1\), got {value!r}"):
        share("alpha", value)


@pytest.mark.parametrize(("check", "value"), [
    (positive, 0.0), (positive, inf), (positive, nan), (nonnegative, -1), (nonnegative, nan), (finite, -inf)
])  # fmt: skip
def test_a_number_out_of_range_is_refused_by_name(check: object, value: float) -> None:
    assert callable(check)
    with pytest.raises(ValueError, match=f"n must be finite.*got {value!r}"):
        check("n", value)


def test_an_unknown_word_is_refused_with_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(
        ValueError, match=r"must be one of 'pocock', 'power', got 'pocok'; did you mean 'pocock'"
    ):
        one_of("spending", "pocok", ("pocock", "power"))


def test_what_is_in_range_is_handed_back() -> None:
    assert (share("q", 0.5), positive("n", 3), nonnegative("n", 0), finite("x", -2.0)) == (0.5, 3, 0, -2.0)
