"""Is the difference of JSON documents a relation that one can rely on?"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policies.shadow.json_difference import MISSING, Difference, Tolerance, differences
from policies.shadow.pointers import Paths, paths, select, tokens

NUMBERS = st.integers() | st.floats()
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=4)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
TOLERANCES = st.builds(Tolerance, st.floats(0, 2), st.floats(0, 1e6))


def copied(document: Any) -> Any:
    """The same document, of other objects."""
    return json.loads(json.dumps(document))


@given(DOCUMENTS, TOLERANCES)
def test_a_document_is_the_same_as_itself(document: Any, tolerance: Tolerance) -> None:
    assert differences(document, copied(document), None, tolerance) == []


@given(DOCUMENTS, DOCUMENTS, TOLERANCES)
def test_sides_may_be_swapped(one: Any, other: Any, tolerance: Tolerance) -> None:
    forth = differences(one, other, None, tolerance, most=100)
    back = differences(other, one, None, tolerance, most=100)
    assert sorted(each.pointer for each in forth) == sorted(each.pointer for each in back)
    assert {each.pointer: repr(each.left) for each in forth} == {
        each.pointer: repr(each.right) for each in back
    }


@given(NUMBERS, NUMBERS, TOLERANCES, st.floats(0, 2), st.floats(0, 1e6))
def test_more_tolerance_never_finds_more(
    one: float, other: float, tolerance: Tolerance, relative: float, absolute: float
) -> None:
    wider = Tolerance(max(tolerance.relative, relative), max(tolerance.absolute, absolute))
    if not differences([one], [other], None, tolerance):
        assert not differences([one], [other], None, wider)


@given(DOCUMENTS, DOCUMENTS)
def test_what_is_found_stands_where_it_is_said_to_stand(one: Any, other: Any) -> None:
    for found in differences(one, other, most=100):
        if "*" in found.pointer:
            continue
        for document, value in ((one, found.left), (other, found.right)):
            there = select(document, tokens(found.pointer)) if found.pointer else [document]
            assert repr(there) == repr([] if value is MISSING else [value])


@given(DOCUMENTS, DOCUMENTS)
def test_ignoring_everything_that_differs_leaves_nothing(one: Any, other: Any) -> None:
    found = [each.pointer for each in differences(one, other, most=100)]
    if "" not in found:
        assert differences(one, other, paths(found)) == []


def test_a_number_is_never_true_or_false() -> None:
    assert differences({"a": 1}, {"a": True}) == [Difference("/a", 1, True)]
    assert differences([0.0], [False]) == [Difference("/0", 0.0, False)]


def test_nothing_is_not_null() -> None:
    assert differences({"a": None}, {}) == [Difference("/a", None, MISSING)]


def test_an_integer_that_no_float_holds() -> None:
    assert differences([10**400], [10**400 + 1], None, Tolerance(relative=0.1)) != []
    assert differences([10**400], [10**400]) == []


def test_ignored_paths_with_wildcards() -> None:
    one = {"id": "a", "hits": [{"id": 1, "score": 0.5}, {"id": 2, "score": 0.1}], "took": {"ms": 3}}
    other = {"id": "b", "hits": [{"id": 1, "score": 0.7}, {"id": 3, "score": 0.2}], "took": {"ms": 9}}
    ignored = paths(["/id", "/hits/*/score", "/took"])
    assert differences(one, other, ignored, most=9) == [Difference("/hits/1/id", 2, 3)]


def test_a_longer_list_differs_unless_its_members_are_ignored() -> None:
    assert differences([1], [1, 2]) == [Difference("/1", MISSING, 2)]
    assert differences([1], [1, 2], paths(["/*"])) == []


# Few values, so that lists are often equal in Python, where True is 1.
SCALARS = st.sampled_from([0, 1, 0.0, 1.0, True, False, None, "", "a"]) | LEAVES


@given(
    st.lists(st.floats(), max_size=5) | st.lists(SCALARS, max_size=3),
    st.lists(st.floats(), max_size=5) | st.lists(SCALARS, max_size=3),
    TOLERANCES,
)
def test_vectors_are_compared_as_their_members_are(
    one: list[Any], other: list[Any], tolerance: Tolerance
) -> None:
    found = [each.pointer for each in differences(one, other, None, tolerance, most=99)]
    longer = max(len(one), len(other))
    alike = {
        f"/{place}"
        for place, pair in enumerate(zip(one, other, strict=False))
        if not differences(*pair, None, tolerance)
    }
    assert found == [f"/{place}" for place in range(longer) if f"/{place}" not in alike]


def test_where_nothing_is_ignored_no_member_is_asked_about() -> None:
    """So that lists are compared at once also where they are the whole document."""

    class Unasked(Paths):
        def below(self, token: str) -> tuple[Paths, ...]:
            raise AssertionError(token)

    assert differences([1, "a"], [1, "a"], Unasked()) == []
    assert len(differences({"a": [1.0]}, {"a": [2.0]}, Unasked())) == 1
    assert differences([1], [2], paths([""])) == []


def test_no_depth_is_too_deep() -> None:
    one: Any = 1
    other: Any = 2
    for _ in range(100_000):
        one, other = [one], [other]
    (found,) = differences(one, other)
    assert (found.left, found.right) == (1, 2)


def test_as_many_as_are_asked_for() -> None:
    assert [each.pointer for each in differences([1, 2, 3], [4, 5, 6], most=2)] == ["/0", "/1"]
