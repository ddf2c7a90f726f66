"""What does one pair of answers come to, whatever the bytes?"""

from __future__ import annotations

import gzip
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policies.shadow.compare import NO_ANSWER, Answer, Rules, compare
from policies.shadow.example import LONGEST_BODY, REDACTED, example
from policies.shadow.json_difference import Tolerance
from policies.shadow.pointers import paths, tokens


def answer(document: Any, status: int = 200, seconds: float = 0.01) -> Answer:
    return Answer(status, json.dumps(document).encode(), seconds)


def rules(**changes: Any) -> Rules:
    return Rules(**changes)


ODD_BODIES = st.binary(max_size=40) | st.sampled_from(
    [b"", b"NaN", b"[" * 100_000, b"1" * 5000, b"\x1f\x8b", b'"\\ud800"', gzip.compress(b"[1]")]
)


@given(ODD_BODIES, ODD_BODIES)
def test_any_bytes_can_be_compared_and_shown(one: bytes, other: bytes) -> None:
    pair = Answer(200, one), Answer(200, other)
    wanted = rules(top=tokens("/a"), ranking=tokens("/b"))
    found = compare(*pair, wanted)
    if one == other:
        assert not found.differs
    json.dumps(example(*pair, wanted, paths(["/a"]))).encode()


def test_spelling_does_not_matter() -> None:
    found = compare(Answer(200, b'{"a": 1, "b": 2}'), Answer(200, b'{"b":2.0,"a":1}'), rules())
    assert (found.differs, found.body, found.status, found.failed) == (False, False, False, False)


def test_what_is_not_json_is_compared_by_its_bytes() -> None:
    assert compare(Answer(200, b"yes"), Answer(200, b"no"), rules()).body
    assert not compare(Answer(200, b"yes"), Answer(200, b"yes"), rules()).differs


def test_a_compressed_answer_is_compared_by_what_it_holds() -> None:
    one, other = gzip.compress(b'{"a": 1}', mtime=1), gzip.compress(b'{"a":1}', mtime=2)
    assert one != other
    assert not compare(Answer(200, one), Answer(200, other), rules()).differs


def test_another_status_is_a_difference_of_its_own() -> None:
    found = compare(answer({}), answer({}, status=500), rules())
    assert (found.differs, found.status, found.body) == (True, True, False)


def test_an_answer_that_did_not_come_differs_and_has_no_time() -> None:
    found = compare(answer({}), Answer(NO_ANSWER), rules(top=tokens("/a")))
    assert (found.differs, found.failed, found.seconds, found.top) == (True, True, None, None)


def test_the_time_is_how_much_longer_it_took() -> None:
    found = compare(answer(1, seconds=0.5), answer(1, seconds=0.25), rules())
    assert found.seconds == -0.25


def test_the_best_result() -> None:
    wanted = rules(top=tokens("/hits/0/id"))
    hits = [{"id": 7, "score": 0.9}, {"id": 3, "score": 0.8}]
    assert compare(answer({"hits": hits}), answer({"hits": hits}), wanted).top is True
    assert compare(answer({"hits": hits}), answer({"hits": hits[::-1]}), wanted).top is False
    assert compare(answer({"hits": hits}), Answer(200, b"oops"), wanted).top is False
    assert compare(answer({"error": "x"}), answer({"hits": hits}), wanted).top is None


def test_rankings_by_the_items_of_a_list_and_by_a_wildcard() -> None:
    one, other = {"ids": [1, 2, 3]}, {"ids": [1, 3, 2]}
    overlap = compare(answer(one), answer(other), rules(ranking=tokens("/ids"))).overlap
    assert overlap is not None
    assert 0.5 < overlap < 1
    same = {"hits": [{"id": 1, "score": 0.3}, {"id": 2, "score": 0.2}]}
    near = {"hits": [{"id": 1, "score": 0.4}, {"id": 2, "score": 0.1}]}
    assert compare(answer(same), answer(near), rules(ranking=tokens("/hits/*/id"))).overlap == 1
    assert compare(answer({}), answer(near), rules(ranking=tokens("/hits/*/id"))).overlap is None
    assert compare(answer(same), answer({}), rules(ranking=tokens("/hits/*/id"))).overlap == 0


def test_tolerance_and_ignored_places() -> None:
    wanted = rules(ignored=paths(["/id"]), tolerance=Tolerance(absolute=0.1))
    one, other = {"id": "x", "scores": [0.1, 0.2]}, {"id": "y", "scores": [0.15, 0.2]}
    assert not compare(answer(one), answer(other), wanted).differs
    assert compare(answer(one), answer({**other, "scores": [0.3, 0.2]}), wanted).differs


def test_an_example_shows_where_and_hides_what_it_must() -> None:
    one = {"user": {"name": "Ada"}, "label": 1, "mail": ["a@example.org"]}
    other = {"user": {"name": "Bob"}, "label": 2, "mail": ["b@example.org"]}
    shown = example(answer(one), answer(other), rules(), paths(["/user", "/mail/*"]))
    text = json.dumps(shown)
    for secret in ("Ada", "Bob", "example.org"):
        assert secret not in text
    assert {"pointer": "/label", "client": "1", "other": "2"} in shown["differences"]
    assert {"pointer": "/user/name", "client": REDACTED, "other": REDACTED} in shown["differences"]


def test_what_cannot_be_redacted_is_not_shown() -> None:
    shown = example(Answer(200, b"secret"), Answer(200, b"others"), rules(), paths(["/user"]))
    assert (shown["client"]["body"], shown["client"]["bytes"]) == (None, 6)
    assert example(Answer(200, b"open"), Answer(200, b""), rules(), paths([]))["client"]["body"] == "open"


def test_an_example_is_cut() -> None:
    one, other = answer({"text": "x" * 100_000}), answer({"text": "y" * 100_000})
    assert len(json.dumps(example(one, other, rules(), paths([])))) < 3 * LONGEST_BODY
