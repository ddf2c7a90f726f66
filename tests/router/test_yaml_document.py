"""Are the values of a YAML text read as they are meant, with the line of each?"""

from __future__ import annotations

import pytest

from router.yaml_document import read


def problems(text: str) -> list[tuple[int | None, str]]:
    return [(problem.line, str(problem)) for problem in read(text).problems]


def test_values_and_lines() -> None:
    document = read("a: 1\nb:\n  - x\n  - c: 2.5\n    d: null\n")
    assert document.data == {"a": 1, "b": ["x", {"c": 2.5, "d": None}]}
    assert not document.problems
    places = {("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "d"): 5}
    assert {path: document.line(path) for path in places} == places


def test_a_missing_place_has_the_line_of_what_is_around_it() -> None:
    document = read("a:\n  b:\n    c: 1\n")
    assert document.line(("a", "b", "missing", 3)) == 2
    assert document.line(("nowhere",)) == 1


def test_an_empty_text_is_no_value() -> None:
    assert read("").data is None
    assert read("# only a comment\n").data is None


def test_names_are_read_as_they_are_written() -> None:
    data = read("on: 1\n1: 2\n2024-01-01: 3\nnull: 4\n1.50: 5\n").data
    assert data == {"on": 1, "1": 2, "2024-01-01": 3, "null": 4, "1.50": 5}


def test_dates_are_text() -> None:
    assert read("day: 2024-01-01").data == {"day": "2024-01-01"}


def test_a_name_given_twice_is_refused_with_both_lines() -> None:
    assert problems("a: 1\nb: 2\na: 3\n") == [
        (3, "a: is there twice, first on line 1; allowed: each name once")
    ]
    assert problems("x: {a: 1, 'a': 2}")[0][1].startswith("x.a: is there twice")


def test_anchors_aliases_and_merge_keys() -> None:
    text = "base: &b {url: u, timeout: 1}\nx: *b\ny: {<<: *b, timeout: 2}\nz: {<<: [{a: 1}, {a: 2, c: 3}]}\n"
    document = read(text)
    assert not document.problems
    assert document.data["x"] == {"url": "u", "timeout": 1}
    assert document.data["y"] == {"url": "u", "timeout": 2}
    assert document.data["z"] == {"a": 1, "c": 3}
    assert document.line(("y", "timeout")) == 3


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "a: &a {<<: *a}"])
def test_an_anchor_in_a_circle_is_refused(text: str) -> None:
    assert len(problems(text)) == 1


def test_aliases_that_multiply_are_refused() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "is too large" in problems("\n".join(rows))[0][1]


def test_merges_that_multiply_are_refused() -> None:
    rows = ["a0: &a0 {k: v}"]
    rows += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 10)]
    assert problems("\n".join(rows))


def test_deep_nesting_is_refused() -> None:
    assert "nested too deeply" in problems("[" * 5000)[0][1]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: [1, 2\n", 3, "is not YAML, column 1"),
        ("a: 1\n\tb: 2\n", 2, "is not YAML"),
        ("a: *nowhere", 1, "undefined alias"),
        ("a: 1\n---\nb: 2\n", 2, "is not YAML"),
        ("a: !!python/object:os.system {}", 1, "a: has the tag 'tag:yaml.org,2002:python/object:os.system'"),
        ("a: !!set {b}\n", 1, "a: has the tag 'tag:yaml.org,2002:set'"),
        ("a: 1\nb: !mine x\n", 2, "b: has the tag '!mine'"),
        ("a: !!int x\n", 1, "a: cannot be read as int"),
        ("a: !!bool x\n", 1, "a: cannot be read as bool"),
        ("? [a]\n: 1\n", 1, "has a name that is a list"),
        ("a:\n  b: .nan\n", 2, "a.b: is .nan; allowed: finite numbers"),
        ("a: -.inf\n", 1, "is -.inf"),
        ("a: 1.0e+999\n", 1, "is 1.0e+999"),
        ("a: \x01\n", None, "is not YAML"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, line: int | None, said: str) -> None:
    found = problems(text)
    assert [found[0][0], len(found)] == [line, 1]
    assert said in found[0][1]
