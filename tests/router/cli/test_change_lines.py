"""Does a difference read as what happened?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.cli.answers import Change
from router.cli.change_lines import change_lines, steps_of
from router.config_file import read_settings
from router.control.difference import difference, plain
from router.problems import pointer_of

WEIGHTS = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 100), min_size=2)


def settings(**experiments: dict[str, int]) -> Any:
    made = {
        name: {
            "unit": [{"header": "h"}],
            "variants": {arm: {"backend": "one", "weight": weight} for arm, weight in weights.items()},
            "control": min(weights),
        }
        for name, weights in experiments.items()
    }
    backends = {"one": {"url": "http://h:1"}}
    return plain(read_settings({"backends": backends, "routes": [], "experiments": made}))


def told(before: Any, after: Any, weights: Any = None) -> list[str]:
    changes = [Change(each.pointer, each.before, each.after) for each in difference(before, after)]
    return [f"{line.sign} {line.text}" for line in change_lines(changes, weights)]


@given(WEIGHTS, WEIGHTS)
def test_shares_are_those_before_and_after_also_when_variants_come_and_go(
    old: dict[str, int], new: dict[str, int]
) -> None:
    found = [line for line in told(settings(e=old), settings(e=new), {"e": new}) if "weight of" in line]
    assert sorted(found) == sorted(
        f"~ experiment e: weight of {arm} {old[arm]} -> {new[arm]} "
        f"(share {old[arm] / sum(old.values()):.2%} -> {new[arm] / sum(new.values()):.2%})"
        for arm in old.keys() & new.keys()
        if old[arm] != new[arm]
    )


@given(WEIGHTS, WEIGHTS)
def test_nothing_is_left_out(old: dict[str, int], new: dict[str, int]) -> None:
    before, after = settings(e=old, same=old), settings(e=new, same=old)
    assert len(told(before, after)) == len(difference(before, after))
    assert not any("same" in line for line in told(before, after))


def test_things_that_come_and_go() -> None:
    a = {"x": 1, "y": 3}
    assert told(settings(), settings(e=a)) == ["+ experiment e: x 1 (25.00%), y 3 (75.00%)"]
    assert told(settings(e=a), settings()) == ["- experiment e"]
    assert told({}, {"backends": {"b": {"url": "http://h"}}, "experiments": {}}) == ["+ backend b: http://h"]


def test_routes_are_told_by_their_paths_when_some_come_or_go() -> None:
    one = {"path": "/one", "backend": "a", "experiment": None}
    two = {"path": "/two", "backend": "b", "experiment": "e"}
    assert told({"routes": [one]}, {"routes": [two, one]}) == ["+ route /two: to b, experiment e"]
    assert told({"routes": [one, two]}, {"routes": [one]}) == ["- route /two"]
    after = [two, one | {"backend": "b"}, {"path": "/3", "backend": "a"}]
    assert told({"routes": [one, two]}, {"routes": after}) == [
        "+ route /3: to a",
        "~ route /one: backend: a -> b",
    ]


@given(st.lists(st.text(min_size=1), max_size=5))
def test_steps_are_those_of_the_pointer(steps: list[str]) -> None:
    assert steps_of(pointer_of(tuple(steps))) == tuple(steps)


@pytest.mark.parametrize(("value", "shown"), [(None, "null"), (True, "true"), (1.5, "1.5"), ("ü", "ü")])
def test_values(value: object, shown: str) -> None:
    assert told({"limits": {"x": 0}}, {"limits": {"x": value}}) == [f"~ limit x: 0 -> {shown}"]
