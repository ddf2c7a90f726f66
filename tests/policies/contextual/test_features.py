"""Do raw values become the numbers that were promised, and are wrong features refused?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contextual.features import LARGEST, Encoder, Feature, features_of

AGE = Feature("age", json="/user/age", low=0, high=50)
PLAN = Feature("plan", header="x-plan", values=("free", "paid"))
anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


@pytest.mark.parametrize(
    ("raw", "vector"),
    [
        ([25, "paid"], [1.0, 0.5, 0.0, 1.0]),
        (["25", "free"], [1.0, 0.5, 1.0, 0.0]),
        ([-10, "other"], [1.0, 0.0, 0.0, 0.0]),
        ([1e9, None], [1.0, 1.0, 0.0, 0.0]),
        ([None, None], [1.0, 0.5, 0.0, 0.0]),
        (["young", 3], [1.0, 0.5, 0.0, 0.0]),
        ([float("nan"), True], [1.0, 0.5, 0.0, 0.0]),
    ],
)
def test_encoding(raw: list[object], vector: list[float]) -> None:
    assert Encoder([AGE, PLAN]).encode(raw) == vector


@given(anything, anything)
def test_whatever_comes_is_a_vector_within_bounds(one: object, other: object) -> None:
    vector = Encoder([AGE, PLAN]).encode([one, other])
    assert len(vector) == Encoder([AGE, PLAN]).dimension == 4
    assert all(0.0 <= each <= 1.0 for each in vector)


def test_a_category_of_truth_values() -> None:
    feature = Feature("mobile", json="/mobile", values=("true", "false"))
    assert Encoder([feature]).encode([True]) == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"low": 0, "high": 1}, "names 0 of header, query, json"),
        ({"header": "x", "query": "y", "low": 0, "high": 1}, "names 2 of"),
        ({"header": "x"}, "needs either low and high or values"),
        ({"header": "x", "low": 0}, "needs either low and high or values"),
        ({"header": "x", "low": 0, "high": 1, "values": ("a",)}, "and not both"),
        ({"header": "x", "low": 1, "high": 1}, "is not below"),
        ({"header": "x", "values": ("a", "a")}, "a value is there twice"),
        ({"json": "user", "values": ("a",)}, "is no JSON pointer"),
    ],
)
def test_wrong_features_are_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Feature("f", **fields)


def test_too_many_or_the_same_twice_are_refused() -> None:
    many = tuple(f"v{number}" for number in range(LARGEST))
    with pytest.raises(ValueError, match=f"at most {LARGEST}"):
        Encoder([Feature("f", header="x", values=many)])
    with pytest.raises(ValueError, match="there twice"):
        Encoder([AGE, AGE])


def test_a_rule_names_its_features() -> None:
    rule = {"features": [{"name": "plan", "header": "x-plan", "values": ["free", "paid"]}]}
    assert features_of(rule) == (PLAN,)
