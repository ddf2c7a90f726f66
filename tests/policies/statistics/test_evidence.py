"""Does evidence merge exactly, keep its integers, and survive large offsets?"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.statistics.difference.means import student, welch
from policies.statistics.evidence import BucketSums, EpochEvidence, ExperimentEvidence, Moments
from policies.statistics.means import Mean

NUMBER = st.floats(-1e6, 1e6).map(lambda x: round(x, 6))
ROWS = st.lists(st.tuples(NUMBER, NUMBER), max_size=30)


def near(one: Moments, other: Moments, scale: float) -> bool:
    """Equal to 1e-12 of the largest number that went in (of its square, for products of ``count`` rows)."""
    assert one.count == other.count
    square = scale**2 * max(one.count, 1)
    products = zip(np.ravel(one.comoments), np.ravel(other.comoments), strict=True)
    return all(abs(a - b) <= 1e-12 * scale for a, b in zip(one.mean, other.mean, strict=True)) and all(
        abs(a - b) <= 1e-12 * square for a, b in products
    )


def size(*parts: list) -> float:
    return max([1.0, *(abs(x) for part in parts for row in part for x in row)])


def of(rows: list) -> Moments:
    return Moments.from_values(np.array(rows, float).reshape(-1, 2))


@given(ROWS, ROWS, ROWS)
def test_merge_is_associative_and_order_free(x: list, y: list, z: list) -> None:
    a, b, c, scale = of(x), of(y), of(z), size(x, y, z)
    assert near(a.merge(b).merge(c), a.merge(b.merge(c)), scale)
    assert near(a.merge(b), b.merge(a), scale)
    assert near(a.merge(b).merge(c), of([*x, *y, *z]), scale)
    assert a.merge(Moments.empty(2)) == a == Moments.empty(2).merge(a)


@given(ROWS.filter(bool))
def test_moments_are_those_of_exact_arithmetic(rows: list) -> None:
    found, scale = of(rows), size(rows)
    exact = [[Fraction(x) for x in row] for row in rows]
    n = len(rows)
    mean = [sum(column) / n for column in zip(*exact, strict=True)]
    products = [
        [float(sum((r[i] - mean[i]) * (r[j] - mean[j]) for r in exact)) for j in (0, 1)] for i in (0, 1)
    ]
    assert near(found, Moments(n, tuple(map(float, mean)), tuple(map(tuple, products))), scale)


@given(st.lists(st.integers(-(10**9), 10**9), min_size=2, max_size=30))
def test_integer_sums_lose_nothing(values: list[int]) -> None:
    found = Moments.from_sums(len(values), (sum(values),), ((sum(v * v for v in values),),))
    mean = Fraction(sum(values), len(values))
    assert found.comoments[0][0] == float(sum((v - mean) ** 2 for v in values))


@pytest.mark.parametrize(("offset", "digits"), [(1.0, 14), (1e6, 9), (1e7, 8)])
def test_nist_numacc(offset: float, digits: int) -> None:
    """NIST StRD NumAcc2 to 4: mean offset + .2, standard deviation exactly .1.

    The data themselves are rounded to doubles, which leaves about 8 digits of the deviation at 1e7; raw sums
    of squares would leave none.
    """
    values = [offset + 0.2, *[offset + 0.1, offset + 0.3] * 500]
    whole = Moments.from_values(values)
    parts = Moments.empty()
    for start in range(0, len(values), 7):
        parts = parts.merge(Moments.from_values(values[start : start + 7]))
    for found in (whole, parts):
        assert found.count == 1001
        assert found.mean[0] == pytest.approx(offset + 0.2, rel=1e-14)
        assert found.deviation() == pytest.approx(0.1, rel=10.0**-digits)


@pytest.mark.parametrize("offset", [0.0, 1e7, 1e12, -1e15])
def test_a_difference_keeps_its_digits_at_any_offset(offset: float) -> None:
    """Values that are exact at the offset, so that whatever is lost is lost by the arithmetic."""
    a, b = ([float(x) for x in range(start, start + 7)] for start in (0, 2))
    b.append(3.0)
    near, far = (
        [Moments.from_values([shift + x for x in values]) for values in (a, b)] for shift in (0.0, offset)
    )
    sums = [
        Moments.from_sums(
            len(values),
            (sum(int(offset + x) for x in values),),
            ((sum(int(offset + x) ** 2 for x in values),),),
        )
        for values in (a, b)
    ]
    parts = [
        Moments.from_values([offset + x for x in values[:3]]).merge(
            Moments.from_values([offset + x for x in values[3:]])
        )
        for values in (a, b)
    ]
    exact = Fraction(sum(map(int, b)), 8) - Fraction(sum(map(int, a)), 7)
    for found in (far, sums, parts):
        assert found[0].gap(found[1]) == pytest.approx(float(exact), rel=1e-14)
        for test in (welch, student):
            assert test(*found).estimate == pytest.approx(float(exact), rel=1e-14)
            assert test(*found).p_value == pytest.approx(test(*near).p_value, rel=1e-12)


@pytest.mark.parametrize(("offset", "digits"), [(1e7, 8), (1e10, 5), (1e12, 3)])
def test_bucket_sums_have_the_digits_they_say(offset: float, digits: int) -> None:
    """A double has over 15 digits; what an offset takes, a difference has not."""
    n = np.full(7, 3)
    values = np.array([0, 1, 5, 2, 2, 7, 4])
    near, far = (
        [BucketSums(n, n * int(shift) + each) for each in (values, values + 3)] for shift in (0.0, offset)
    )
    gaps = [pair[1].mean - pair[0].mean for pair in (near, far)]
    assert gaps[1] == pytest.approx(gaps[0], rel=10.0**-digits)
    errors = [pair[0].variance_of_mean() ** 0.5 for pair in (near, far)]
    assert errors[1] == pytest.approx(errors[0], rel=10.0**-digits)


def test_constant_values_have_no_variance() -> None:
    assert Moments.from_values([0.1] * 1000).variance() == 0.0
    total, squares = sum([0.1] * 1000), sum([0.1**2] * 1000)
    assert Moments.from_sums(1000, (total,), ((squares,),)).variance() == 0.0
    requests = np.arange(1, 65)
    assert BucketSums(requests, requests * 0.1).variance_of_mean() == 0.0


@given(st.floats(-1e300, 1e300), st.integers(1, 40))
def test_the_mean_of_equal_values_is_that_value(value: float, count: int) -> None:
    found = Moments.from_values([value] * count)
    assert (found.mean, found.rest, found.comoments) == ((value,), (0.0,), ((0.0,),))


def test_one_row_has_no_variance_to_speak_of() -> None:
    assert np.isnan(Moments.from_values([3.0]).variance())


@pytest.mark.parametrize(
    "call",
    [
        lambda: Moments.from_values(np.zeros((2, 2, 2))),
        lambda: Moments.from_sums(-1, (1.0,), ((1.0,),)),
        lambda: Moments.from_sums(2, (1.0,), ((1.0, 2.0),)),
        lambda: Moments.empty(1).merge(Moments.empty(2)),
        lambda: Moments.from_successes(5, 4),
        lambda: BucketSums(np.zeros(3, np.int64), np.zeros(4, np.int64)),
        lambda: BucketSums.empty(3).merge(BucketSums.empty(4)),
        lambda: EpochEvidence(1, 0.0, None, {"a": -1.0}, {}),
    ],
)
def test_wrong_shapes_and_numbers_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match=r"must|cannot"):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Moments.from_values([1.0, np.nan]), r"values\[1\] must be finite, got nan"),
        (
            lambda: Moments.from_values([[1.0, 2.0], [3.0, np.inf]]),
            r"values\[1\]\[1\] must be finite, got inf",
        ),
        (lambda: Moments.from_sums(3, (np.inf,), ((1.0,),)), r"sums\[0\] must be finite, got inf"),
        (lambda: Moments.from_sums(0, (np.nan,), ((1.0,),)), r"sums\[0\] must be finite, got nan"),
        (
            lambda: Moments.from_sums(3, (1.0, 2.0), ((1.0, 2.0), (np.nan, 4.0))),
            r"cross_products\[1\]\[0\] must be finite, got nan",
        ),
        (lambda: Moments.from_sums(2.5, (1.0,), ((1.0,),)), "n must be a whole number >= 0, got 2.5"),
        (lambda: Moments.from_sums(np.nan, (1.0,), ((1.0,),)), "n must be a whole number >= 0, got nan"),
        (lambda: Moments.from_successes(0.5, 4), "successes must be a whole number >= 0, got 0.5"),
        (lambda: Mean(0.0, -1.0, 5.0, 6), r"variance must be >= 0, got -1\.0"),
        (lambda: Mean(0.0, 1.0, 5.0, -6), "n must be >= 0, got -6"),
    ],
)
def test_what_is_no_evidence_is_refused_by_name(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


COUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=8, max_size=8)


def buckets(pairs: list[tuple[int, int]]) -> BucketSums:
    n, x = np.array(pairs).T
    return BucketSums(n, np.minimum(n, x))


@given(COUNTS, COUNTS, COUNTS)
def test_bucket_sums_merge_exactly_and_stay_integers(x: list, y: list, z: list) -> None:
    a, b, c = buckets(x), buckets(y), buckets(z)
    one, other = a.merge(b).merge(c), c.merge(a).merge(b)
    assert one.numerator.dtype == one.denominator.dtype == np.int64
    assert (one.numerator == other.numerator).all()
    assert (one.denominator == other.denominator).all()
    assert (a.merge(BucketSums.empty(8)).numerator == a.numerator).all()


@given(COUNTS)
def test_clustered_variance_is_the_ratio_of_sums_over_buckets_with_data(pairs: list) -> None:
    sums = buckets(pairs)
    filled = sums.denominator > 0
    if filled.sum() < 2:
        assert np.isnan(sums.variance_of_mean())
        return
    rows = np.column_stack([sums.numerator, sums.denominator])[filled]
    expected = Mean.of_ratio(Moments.from_values(rows)).variance
    assert sums.variance_of_mean() == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_control_comes_first_and_variants_added_later_follow() -> None:
    epochs = (
        EpochEvidence(1, 0.0, 1.0, {"b": 1.0, "a": 1.0}, {}),
        EpochEvidence(2, 1.0, None, {"b": 0.0, "a": 1.0, "c": 1.0}, {}),
    )
    assert ExperimentEvidence("x", "a", epochs).variants == ("a", "b", "c")
