"""Does every written duration and size mean what a reader thinks?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.quantities import duration, size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        *[("250ms", 0.25), ("2s", 2), ("5m", 300), ("1h", 3600), ("7d", 604800), ("1w", 604800)],
        *[("100us", 1e-4), ("1.5 h", 5400), (" 2s ", 2), (2, 2), (0.25, 0.25), ("0.1s", 0.1)],
    ],
)
def test_durations(written: object, seconds: float) -> None:
    assert duration(written) == seconds


@pytest.mark.parametrize(
    ("written", "octets"),
    [
        ("64KiB", 65536),
        ("10MB", 10_000_000),
        ("1GiB", 2**30),
        ("5B", 5),
        ("1.5KiB", 1536),
        ("2kB", 2000),
        (7, 7),
    ],
)
def test_sizes(written: object, octets: int) -> None:
    assert size(written) == octets


@pytest.mark.parametrize(
    "written", ["", "2", "s", "-2s", "2x", "2 m s", "1e3s", "٣s", "inf", "1:30", True, None, [2]]
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="allowed: "):
        duration(written)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_duration_is_finite(value: float) -> None:
    with pytest.raises(ValueError, match="allowed: "):
        duration(value)


@pytest.mark.parametrize("written", ["", "64", "64K", "0.5B", "1.0001KiB", "kib", -0.5, 1.5, True, None])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="allowed: "):
        size(written)


@given(st.integers(0, 10**9))
def test_units_agree_with_each_other(amount: int) -> None:
    assert float(duration(f"{amount}s")) == float(duration(amount)) == amount
    assert duration(f"{amount}m") == duration(f"{amount * 60}s")
    assert size(f"{amount}KiB") == size(amount * 1024)
