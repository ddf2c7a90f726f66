"""Is a condition refused with its position, does it say what it reads, and is it decided for any request?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.condition import Undecided, UnusableCondition, compiled

FACTS: dict[str, Any] = {
    "request.method": "POST",
    "request.path": "/v2/rank",
    "request.headers": {"x-country": "NZ", "x-app": "ios/17.2"},
    "request.query": {"beta": "1"},
    "request.json": {"user": {"age": 18.5, "tags": ["a", "b"]}, "model": None},
    "context": {"plan": "pro", "seats": 3},
}


@pytest.mark.parametrize(
    ("text", "line", "column", "why"),
    [
        ("request.method ==", 1, 18, "Syntax error"),
        ('request.method == "a" &&\n  requst.path == "b"', 2, 9, "undeclared reference to 'requst.path'"),
        ('request.metod == "a"', 1, 8, "undeclared reference to 'request.metod'"),
        ("request.method == 3", 1, 16, "no matching overload"),
        ("nothing(request.path)", 1, 8, "undeclared reference to 'nothing'"),
        ("request.path", 1, 1, "neither true nor false"),
        ('request.path == "é" || request.path.matches("(")', 1, 45, "missing )"),
        ('"X-A" in request.headers', 1, 7, "lower case"),
        ('true &&\n request.headers.exists(h, h == "x")', 2, 9, "one by one"),
        ('request.headers[request.path] == "a"', 1, 8, "one by one"),
        ("a" * 5000, 1, 1, "more than"),
        ('"\ud800" == ""', 1, 2, "no Unicode"),
        ("(" * 300 + "true" + ")" * 300, 1, 1, "recursion"),
        ("", 1, 1, "Syntax error"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_position(
    text: str, line: int, column: int, why: str
) -> None:
    with pytest.raises(UnusableCondition) as refused:
        compiled(text)
    assert (refused.value.line, refused.value.column) == (line, column)
    assert why in refused.value.why


@pytest.mark.parametrize(
    ("text", "headers", "paths"),
    [
        ('"x-b" in request.headers && request.headers["x-a"] == "1"', ("x-a", "x-b"), ()),
        ('has(request.headers.foo) || request.headers.foo == "x"', ("foo",), ()),
        ("request.json.a.b[0].c == 1", (), (("a", "b"),)),
        ('has(request.json.a.b) && "k" in request.json["z"]', (), (("a", "b"), ("z", "k"))),
        ("request.json.x.all(e, e.y == request.json.q)", (), (("q",), ("x",))),
        ('{"a": request.json.k}["a"] == [request.json.l][0]', (), (("k",), ("l",))),
        ('request.json == "x"', (), ((),)),
        ('request.path == "request.json.a"', (), ()),
    ],
)
def test_what_is_read_is_known(
    text: str, headers: tuple[str, ...], paths: tuple[tuple[str, ...], ...]
) -> None:
    condition = compiled(text)
    assert (condition.headers, condition.paths) == (headers, paths)
    assert ("request.json" in condition.reads) == bool(paths)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('request.method == "POST" && request.path.startsWith("/v2/")', True),
        ('request.headers["x-country"] in ["NZ", "AU"] && request.query["beta"] == "1"', True),
        ('"x-none" in request.headers', False),
        ('"x-none" in request.headers && request.headers["x-none"] == "1"', False),
        ('request.headers["x-none"] == "1" || request.method == "POST"', True),
        ('request.headers["x-app"].matches("^ios/1[0-9]")', True),
        ('request.headers["x-country"].lowerAscii() == "nz"', True),
        ("request.json.user.age >= 18 && request.json.user.age < 19", True),
        ('request.json.user.tags.exists(tag, tag == "b")', True),
        ("has(request.json.model) && !has(request.json.other)", True),
        ('context.plan == "pro" && context["seats"] > 2', True),
    ],
)
def test_what_holds(text: str, expected: bool) -> None:
    assert compiled(text).holds(FACTS) is expected


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ('request.headers["x-none"] == "1"', {}),
        ("request.json.user.age == 1", {"request.json": None}),
        ("request.json.user.age == 1", {"request.json": {"user": {"age": 2**70}}}),
        ("request.json.user", {}),
        ('request.json.a == "x"', {"request.json": {"a": "\udcff"}}),
        ('request.path.matches(request.query["beta"])', {"request.query": {"beta": "("}}),
        ("request.json.all(a, request.json.all(b, a == b))", {"request.json": [1] * 1000}),
    ],
)
def test_what_cannot_be_said_is_undecided(text: str, facts: dict[str, Any]) -> None:
    with pytest.raises(Undecided):
        compiled(text).holds(FACTS | facts)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(
    json_values, st.text(st.characters()), st.dictionaries(st.text(st.characters()), st.text(st.characters()))
)
def test_no_request_makes_a_condition_raise_anything_else(
    body: object, path: str, query: dict[str, str]
) -> None:
    condition = compiled(
        'request.path == "/a" || "a" in request.query || request.json.a == 1 || size(request.json) > 1'
    )
    try:
        answer = condition.holds({"request.json": body, "request.path": path, "request.query": query})
    except Undecided:
        return
    assert answer in (True, False)


def test_a_text_is_compiled_once() -> None:
    assert compiled('request.path == "once"') is compiled('request.path == "once"')
