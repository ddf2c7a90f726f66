"""Is an audience that cannot be used refused, at its place and with what is allowed?"""

from __future__ import annotations

from typing import Any

import pytest

from router.config_file import load, read_settings
from router.data.wire import REQUEST_KINDS
from router.handled_headers import HANDLED
from router.problems import InvalidConfiguration, Problem


def document(**changes: Any) -> dict[str, Any]:
    experiment: dict[str, Any] = {
        "unit": [{"header": "x-user-id"}],
        "variants": {"old": {"backend": "a", "weight": 1}, "new": {"backend": "b", "weight": 1}},
        "control": "old",
    }
    return {
        "backends": {"a": {"url": "http://127.0.0.1:1"}, "b": {"url": "http://127.0.0.1:2"}},
        "routes": [{"path": "/", "backend": "a", "experiment": ["one", "two"]}],
        "layers": {"checkout": {}, "search": {"salt": "s"}},
        "holdouts": {"never": {"share": 0.05}},
        "experiments": {"one": experiment | changes, "two": experiment},
    }


def problems(data: dict[str, Any]) -> tuple[Problem, ...]:
    with pytest.raises(InvalidConfiguration) as caught:
        read_settings(data)
    return caught.value.problems


def test_what_can_be_used() -> None:
    audience = {
        "when": '"x-a" in request.headers && request.headers.host == "a" && request.json.model == "m"',
        "layer": "checkout",
        "part": [0.25, 0.5],
        "share": 0.1,
        "holdouts": ["never"],
        "forced": {"new": ["user-1", "user-2"]},
    }
    schedule = {"start": "2030-01-31T08:00Z", "end": "2030-02-28T08:00:00+01:00"}
    found = read_settings(document(audience=audience, schedule=schedule, fallback="old"))
    assert found.experiments["one"].audience.part == (0.25, 0.5)


@pytest.mark.parametrize(
    ("audience", "place", "wrong", "nearest"),
    [
        ({"layer": "chekout"}, "/layer", "is no known layer", "checkout"),
        ({"holdouts": ["never", "nver"]}, "/holdouts/1", "is no known hold-out", "never"),
        ({"holdouts": ["never", "never"]}, "/holdouts/1", "is there twice", None),
        ({"forced": {"nwe": ["u"]}}, "/forced/nwe", "is no known variant of this experiment", "new"),
        ({"forced": {"new": [""]}}, "/forced/new/0", "is empty", None),
        ({"forced": {"new": ["u"], "old": ["v", "u"]}}, "/forced/old/1", "gets new already", None),
        ({"layer": "search", "part": [0.5, 0.5]}, "/part", "is no part of a layer", None),
        ({"layer": "search", "part": [-0.1, 0.5]}, "/part", "is no part of a layer", None),
        ({"layer": "search", "part": [0.5, 1.1]}, "/part", "is no part of a layer", None),
        ({"layer": "search", "part": [0.5]}, "/part", "is no part of a layer", None),
        ({"layer": "search", "part": [float("nan"), 1]}, "/part", "is no part of a layer", None),
        ({"part": [0, 0.5]}, "/part", "is a part of no layer", None),
        ({"share": 1.5}, "/share", "is no share", None),
        ({"share": -0.5}, "/share", "is no share", None),
        ({"when": 'request.paht == "/"'}, "/when", "line 1, column 8: undeclared", "request.path"),
        ({"when": "request.path ==\n &&"}, "/when", "line 2, column 2: Syntax error", None),
        ({"when": '"connection" in request.headers'}, "/when", "reads 'connection'", None),
        ({"when": '"x-turnout-token" in request.headers'}, "/when", "reads 'x-turnout-token'", None),
    ],
)
def test_what_cannot(audience: dict[str, Any], place: str, wrong: str, nearest: str | None) -> None:
    found = problems(document(audience=audience))
    assert [each.pointer for each in found] == [f"/experiments/one/audience{place}"]
    assert wrong in found[0].wrong
    assert found[0].nearest == nearest


@pytest.mark.parametrize(
    ("field", "value", "pointer", "wrong"),
    [
        ("schedule", {"start": "tomorrow"}, "/schedule/start", "is no time"),
        ("schedule", {"start": "2030-01-31T08:00"}, "/schedule/start", "has no offset"),
        (
            "schedule",
            {"start": "2030-02-01T00:00Z", "end": "2030-01-31T00:00Z"},
            "/schedule/end",
            "not after",
        ),
        ("fallback", "odl", "/fallback", "is no known variant"),
        ("variants", {"old": {"backend": "a", "weight": 1}}, "/fallback", "has the backend"),
    ],
)
def test_schedules_and_fallbacks(field: str, value: Any, pointer: str, wrong: str) -> None:
    changes = {"fallback": "old"} | {field: value} if field == "variants" else {field: value}
    found = problems(document(**changes))
    assert [each.pointer for each in found] == [f"/experiments/one{pointer}"]
    assert wrong in found[0].wrong


def of_one_layer(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    data = document()
    one = data["experiments"]["one"]
    two = {"audience": {"layer": "checkout"}} | second
    data["experiments"] = {"one": one | {"audience": {"layer": "checkout"}} | first, "two": one | two}
    return data


def test_experiments_of_a_layer_share_no_unit() -> None:
    parts = [{"audience": {"layer": "checkout", "part": part}} for part in ([0, 0.6], [0.5, 1], [0.6, 1])]
    found = problems(of_one_layer(parts[0], parts[1]))
    assert [each.pointer for each in found] == ["/experiments/two/audience/part"]
    assert "overlaps with [0.0, 0.6] of experiments.one in the layer checkout" in found[0].wrong
    read_settings(of_one_layer(parts[0], parts[2]))
    read_settings(of_one_layer(parts[0], parts[1] | {"running": False}))
    elsewhere = {"audience": {"layer": "search", "part": [0.5, 1]}}
    read_settings(of_one_layer(parts[0], elsewhere))


def test_the_whole_of_no_layer_is_what_is_written_back_by_default() -> None:
    read_settings(document(audience={"layer": None, "part": [0, 1]}))


def test_experiments_of_a_layer_have_one_unit() -> None:
    parts = [{"audience": {"layer": "checkout", "part": part}} for part in ([0, 0.5], [0.5, 1])]
    found = problems(of_one_layer(parts[0], parts[1] | {"unit": [{"cookie": "uid"}]}))
    assert [each.pointer for each in found] == ["/experiments/two/unit"]


def test_layers_and_holdouts_have_usable_names_salts_and_shares() -> None:
    data = document() | {"layers": {"a b": {"salt": "x y"}}, "holdouts": {"h": {"share": 2, "salt": ""}}}
    pointers = [each.pointer for each in problems(data)]
    assert pointers == ["/layers/a b", "/layers/a b/salt", "/holdouts/h/salt", "/holdouts/h/share"]


def test_the_line_of_the_file_and_of_the_condition() -> None:
    text = """\
backends: {a: {url: http://127.0.0.1:1}}
routes: [{path: /, backend: a, experiment: e}]
experiments:
  e:
    unit: [{header: u}]
    variants: {x: {backend: a, weight: 1}}
    control: x
    audience:
      when: |
        request.method == "GET" &&
        request.paths == "/"
"""
    with pytest.raises(InvalidConfiguration) as caught:
        load(text)
    (found,) = caught.value.problems
    assert found.line == 9
    assert "line 2, column 8" in found.wrong


def test_all_that_the_parser_handles_is_known_here() -> None:
    own = {name.decode() for name in REQUEST_KINDS}
    assert own <= HANDLED
