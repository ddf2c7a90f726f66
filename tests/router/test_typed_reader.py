"""Are types of all shapes read, and mistakes in them named at their own place?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import msgspec
import pytest

from router.problems import ABSENT
from router.settings import Duration, Size
from router.typed_reader import TypedReader


@dataclass(frozen=True, slots=True)
class Step:
    """As a policy would declare one."""

    weight: float
    hold: timedelta = timedelta(minutes=5)
    note: str | None = None
    tags: tuple[str, ...] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        if self.weight > 100:
            raise ValueError(f"weight is {self.weight:g}, above 100")


class Plan(msgspec.Struct, frozen=True):
    steps: tuple[Step, ...]
    mode: Literal["slow", "fast"] = "slow"
    extra: dict[str, Any] = {}


def read(kind: Any, value: object) -> tuple[Any, list[str]]:
    reader = TypedReader()
    return reader.read(kind, value, ()), [str(problem) for problem in reader.problems]


def test_records_in_lists_in_records() -> None:
    data = {"steps": [{"weight": 5, "hold": "10m"}, {"weight": 50, "tags": ["a"]}], "extra": {"x": [1]}}
    plan, problems = read(Plan, data)
    assert problems == []
    assert plan == Plan((Step(5.0, timedelta(minutes=10)), Step(50.0, tags=("a",))), extra={"x": [1]})
    assert type(plan.steps[0].weight) is float


def test_every_mistake_is_named_at_its_place() -> None:
    data = {
        "steps": [{"wieght": 5}, 7, {"weight": 101}, {"weight": 1, "hold": "long", "tags": [1]}],
        "mode": "fsat",
    }
    _, problems = read(Plan, data)
    assert [problem.partition("; ")[0] for problem in problems] == [
        "steps[0].wieght: is no known name here",
        "steps[0].weight: is missing",
        "steps[1]: 7 does not fit",
        "steps[2]: does not fit: weight is 101, above 100",
        "steps[3].hold: 'long' does not fit",
        "steps[3].tags[0]: 1 does not fit",
        "mode: 'fsat' is no known value here",
    ]


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        (float, 3, 3.0),
        (int | None, None, None),
        (int | None, 3, 3),
        (str | tuple[str, ...], "one", "one"),
        (str | tuple[str, ...], ["one", "two"], ("one", "two")),
        (Duration | None, "2s", Duration(2)),
        (Size, "1KiB", Size(1024)),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (Literal[1, True], 1, 1),
        (Any, {"x": None}, {"x": None}),
    ],
)
def test_values_that_fit(kind: Any, value: object, result: object) -> None:
    assert read(kind, value) == (result, [])


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (int, 3.0, "3.0 does not fit; allowed: a whole number"),
        (int, True, "true does not fit; allowed: a whole number"),
        (bool, 1, "1 does not fit; allowed: true or false"),
        (str, 1, "1 does not fit; allowed: text, in quotes where it looks like something else"),
        (float, "1", "'1' does not fit; allowed: a number, without quotes and with a dot before an exponent"),
        (int | None, "x", "'x' does not fit; allowed: a whole number, without quotes and with a dot"),
        (str | tuple[str, ...], 3, "3 does not fit; allowed: text"),
        (tuple[str, ...], "x", "'x' does not fit; allowed: a list"),
        (dict[str, int], [], "[] does not fit; allowed: a mapping of names to values"),
        (Literal["a"], None, "null is no known value here; allowed: a"),
        (Duration, 1e400, "inf does not fit; allowed: a number of seconds"),
        (timedelta, 1e300, "1e+300 does not fit; allowed: a number of seconds"),
    ],
)
def test_values_that_do_not_fit(kind: Any, value: object, said: str) -> None:
    result, problems = read(kind, value)
    assert result is ABSENT
    assert problems[0].startswith(said)
    assert len(problems) == 1
