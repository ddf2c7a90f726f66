"""Is every item that is an outcome read as one, and every other refused with its reason?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.data.intake import LeftOut, NotJson, Refused, TooMany, Unreadable, judge, parse
from router.settings import Duration, Experiment, Metric, Settings, UnitSource, Variant
from router.state import Epoch, State
from router.store.outcomes import Outcome
from router.token import FORCED, Signer

NOW = 1_700_000_000
KEY = bytes(range(32))
WINDOW = 3600


def state(**changes: Any) -> State:
    fields: dict[str, Any] = {
        "unit": (UnitSource(header="x-user-id"),),
        "variants": {
            "champion": Variant(backend="a", weight=90),
            "challenger": Variant(backend="b", weight=10),
        },
        "control": "champion",
        "metrics": (
            Metric(name="correct", kind="binary"),
            Metric(name="revenue", kind="mean"),
            Metric(name="rating", kind="mean", minimum=1, maximum=5),
            Metric(name="minutes", kind="mean", minimum=-5, cap=60),
        ),
        "attribution": Duration(WINDOW),
    }
    settings = Settings(backends={}, routes=(), experiments={"ranker": Experiment(**(fields | changes))})
    epoch = Epoch(number=4, started=0, salt="ranker", weights={"champion": 90, "challenger": 10}, why="")
    return State(version=3, settings=settings, epochs={"ranker": epoch}, key=KEY)


def token(
    decision: int = 1, *, time: int = NOW, flags: int = 0, key: bytes = KEY, name: str = "ranker"
) -> str:
    return Signer(key, name, 4, "challenger").sign(77, decision, time, flags).decode()


def item(**changes: Any) -> dict[str, Any]:
    return {"token": token(), "metric": "correct", "value": 1} | changes


def outcome(given: object, now: float = NOW) -> Outcome:
    found = judge(given, state(), now)
    assert isinstance(found, Outcome)
    return found


def refusal(given: object, now: float = NOW) -> str:
    with pytest.raises(Refused) as refused:
        judge(given, state(), now)
    return str(refused.value)


def test_where_it_counts_comes_from_the_token() -> None:
    found = outcome(item())
    assert (found.experiment, found.epoch, found.variant, found.bucket) == ("ranker", 4, "challenger", 77)
    assert (found.metric, found.kind, found.value) == ("correct", "binary", 1)
    assert found.ttl_seconds >= WINDOW


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0, True, False])
def test_a_binary_value_is_0_or_1(value: object) -> None:
    assert outcome(item(value=value)).value == value


@pytest.mark.parametrize("value", [2, -1, 0.5, "1", None, [1], {}, float("nan"), float("inf"), 10**400])
def test_anything_else_is_no_binary_value(value: object) -> None:
    assert "does not fit its kind, binary; allowed: 0 or 1" in refusal(item(value=value))


@pytest.mark.parametrize("value", [0, -3, 2.5, 10**15, 1e100, -1e-300])
def test_a_mean_takes_numbers(value: float) -> None:
    assert outcome(item(metric="revenue", value=value)).value == value


@pytest.mark.parametrize("value", ["3", None, True, [3], {"amount": 3}])
def test_a_mean_takes_nothing_else(value: object) -> None:
    assert "does not fit its kind, mean" in refusal(item(metric="revenue", value=value))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e101, -(10**400)])
def test_a_mean_takes_nothing_without_bounds(value: object) -> None:
    assert "out of range; allowed: finite" in refusal(item(metric="revenue", value=value))


def test_a_metrics_own_bounds_hold() -> None:
    assert outcome(item(metric="rating", value=1)).value == 1
    assert outcome(item(metric="rating", value=5)).value == 5
    for value in (0.99, 5.01):
        assert "allowed: at least 1 and at most 5" in refusal(item(metric="rating", value=value))


def test_values_above_the_cap_count_as_the_cap() -> None:
    for value, counted in ((-5, -5), (59.5, 59.5), (60, 60), (60.5, 60), (1e9, 60)):
        found = outcome(item(metric="minutes", value=value))
        assert (found.value, found.capped) == (counted, value > 60)
    assert outcome(item(metric="rating", value=5)).capped is None
    assert "allowed: at least -5" in refusal(item(metric="minutes", value=-6))


def test_an_unknown_metric_names_the_known_ones() -> None:
    reason = refusal(item(metric="corect"))
    assert "'corect' is no known metric; allowed: correct, revenue, rating, minutes" in reason
    assert "did you mean 'correct'?" in reason
    assert "is no known metric" in refusal(item(metric=7))
    assert "is no known metric" in refusal(item(metric=["correct"]))


def test_an_unknown_field_names_the_known_ones() -> None:
    assert "'valeu' is no known field; allowed: token, metric, value, id; did you mean 'value'?" in refusal(
        item(valeu=1)
    )


@pytest.mark.parametrize("name", ["token", "metric", "value"])
def test_a_missing_field_is_named(name: str) -> None:
    given = item()
    del given[name]
    assert refusal(given).startswith(f"{name} is missing")


@pytest.mark.parametrize("given", [None, 5, "text", True, [], [item()]])
def test_what_is_no_object_is_refused(given: object) -> None:
    assert "is no outcome; allowed: an object" in refusal(given)


@pytest.mark.parametrize("text", [None, 5, "", "x", "é", token() + "A", token()[:-1], token(key=bytes(32))])
def test_a_token_of_nobodys_is_refused(text: object) -> None:
    assert "token" in refusal(item(token=text))


@given(st.integers(0, len(token()) - 1), st.sampled_from("ABCXYZabcxyz0189-_"))
def test_no_altered_token_counts(place: int, letter: str) -> None:
    text = token()
    altered = text[:place] + letter + text[place + 1 :]
    if altered != text:
        assert "token" in refusal(item(token=altered))


def test_a_token_counts_until_its_window_ends() -> None:
    assert outcome(item(), NOW + WINDOW)
    assert outcome(item(), NOW - 5)
    assert "expired 1 s ago; allowed: within 3600 s" in refusal(item(), NOW + WINDOW + 1)


def test_an_experiment_that_is_gone_is_named() -> None:
    assert "'other' is no known experiment; allowed: ranker" in refusal(item(token=token(name="other")))


def test_forced_traffic_is_left_out_but_checked() -> None:
    forced = item(token=token(flags=FORCED))
    found = judge(forced, state(), NOW)
    assert isinstance(found, LeftOut)
    assert "not counted" in found.reason
    assert "binary" in refusal(forced | {"value": 3})


def test_the_identity_is_the_decision_and_metric_unless_one_is_given() -> None:
    same = outcome(item()).dedupe
    assert len(same) == 16
    assert outcome(item(value=0)).dedupe == same
    assert outcome(item(id=None)).dedupe == same
    others = [
        item(token=token(2)),
        item(token=token(time=NOW - 1)),
        item(metric="revenue"),
        item(id="a"),
        item(id="b"),
        item(id="a", metric="revenue"),
    ]
    assert len({same, *(outcome(other).dedupe for other in others)}) == 7
    assert outcome(item(id="a")).dedupe == outcome(item(id="a", token=token(9))).dedupe


@pytest.mark.parametrize("given", ["", "x" * 257, 7, True, ["a"], {}])
def test_an_id_that_cannot_be_used_is_refused(given: object) -> None:
    assert "allowed: text of 1 to 256 characters" in refusal(item(id=given))


def test_an_id_may_be_any_text() -> None:
    for text in ("\ud800", "a\0b", "ü" * 256):
        assert outcome(item(id=text))


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(["token", "metric", "value", "id", "x"]), values)


scalars = st.none() | st.booleans() | st.floats() | st.text()


@given(st.recursive(scalars, lambda values: st.lists(values) | objects(values)))
def test_no_item_is_anything_but_judged(given: object) -> None:
    refusal(given)


def test_one_object_an_array_and_lines_are_read() -> None:
    one, two = {"a": 1}, {"b": [2]}
    assert parse(json.dumps(one).encode(), 10) == [one]
    assert parse(json.dumps([one, two], indent=2).encode(), 10) == [one, two]
    assert parse(b'{"a": 1}\r\n\n {"b": [2]}\n', 10) == [one, two]
    assert parse(b"[]", 10) == []
    assert parse(json.dumps(one, indent=2).encode(), 10) == [one]


def test_numbers_that_are_not_json_refuse_one_item_only() -> None:
    items = parse(b'[{"value": 1}, {"value": NaN}, {"value": -Infinity}, {"value": 1e999}]', 10)
    assert [str(one["value"]) for one in items] == ["1", "nan", "-inf", "inf"]  # type: ignore[index]


def test_a_line_that_is_not_json_is_one_item() -> None:
    first, second, third = parse(b'{"a": 1}\n{"b": \n{"c": 3}', 10)
    assert first == {"a": 1}
    assert isinstance(second, Unreadable)
    assert third == {"c": 3}
    assert "the line is not JSON" in refusal(second)


@pytest.mark.parametrize(
    "body",
    [b"", b" \n ", b"token=x&value=1", b"{", b'[{"a": 1},\n{"b": 2}\n', b"a\nb", b"\xff\xfe", b"[" * 100_000],
)
def test_a_body_of_no_json_is_refused_whole(body: bytes) -> None:
    with pytest.raises(NotJson, match="JSON"):
        parse(body, 10)


@pytest.mark.parametrize("body", [b"[1,2,3]", b"1\n2\n3", b"1\n2\nx\n"])
def test_more_than_are_allowed_are_refused_whole(body: bytes) -> None:
    with pytest.raises(TooMany, match="3 items; allowed: at most 2"):
        parse(body, 2)


@given(st.binary())
def test_any_body_is_read_or_refused(body: bytes) -> None:
    try:
        items = parse(body, 100)
    except (NotJson, TooMany):
        return
    for one in items:
        refusal(one)
