"""Is the router's own answer one that every client can read?"""

from __future__ import annotations

import json

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.data.answers import Refusal, render

refusals = st.builds(
    Refusal,
    status=st.sampled_from([400, 404, 408, 413, 414, 417, 431, 500, 501, 502, 503, 504, 505]),
    reason=st.from_regex(r"[a-z]+(-[a-z]+)*", fullmatch=True),
    detail=st.text(st.characters(exclude_categories=["Cs"])),
    retry_after=st.none() | st.integers(0, 3600),
)


class Answer:
    """What a strict parser reads."""

    def __init__(self, raw: bytes) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = False
        self.keep_alive = False
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(raw)
        self.status = self._parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        assert name.decode() not in self.headers
        self.headers[name.decode()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True
        self.keep_alive = self._parser.should_keep_alive()


@given(
    refusals,
    st.booleans(),
    st.sampled_from([b"", b"abc-1"]),
    st.sampled_from([b"", b"x-turnout-token: t\r\n"]),
)
def test_a_problem_document(refusal: Refusal, close: bool, request_id: bytes, extra: bytes) -> None:
    answer = Answer(render(refusal, request_id, extra, close=close))
    assert answer.complete
    assert answer.status == refusal.status
    assert answer.keep_alive is not close
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-turnout-error"] == refusal.reason
    assert answer.headers.get("x-request-id", "") == request_id.decode()
    assert answer.headers.get("x-turnout-token", "") == ("t" if extra else "")
    wait = None if refusal.retry_after is None else str(refusal.retry_after)
    assert answer.headers.get("retry-after") == wait
    document = json.loads(answer.body)
    assert document == {
        "type": f"urn:turnout:error:{refusal.reason}",
        "title": refusal.reason.replace("-", " "),
        "status": refusal.status,
        "detail": refusal.detail,
    }


@given(refusals, st.booleans())
def test_the_answer_to_head_is_the_same_without_the_body(refusal: Refusal, close: bool) -> None:
    whole = render(refusal, b"id", b"", close=close)
    head = render(refusal, b"id", b"", close=close, head_only=True)
    assert whole.startswith(head)
    assert head.endswith(b"\r\n\r\n")
    assert json.loads(whole[len(head) :])["status"] == refusal.status


@pytest.mark.parametrize("path", [b"/\xff\xfe", b"/%00", b'/"\\', "/é".encode()])
def test_a_path_of_any_bytes_may_stand_in_the_detail(path: bytes) -> None:
    answer = Answer(render(Refusal(404, "no-route", path.decode("latin-1")), b"", b"", close=False))
    assert json.loads(answer.body)["detail"] == path.decode("latin-1")
