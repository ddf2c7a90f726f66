"""Are a file's requests read, and its mistakes named with their lines?"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.cli.loadtest.requests import Recorded, read_requests, write_requests
from router.errors import ConfigurationError

bodies = st.just(b"") | st.binary(min_size=1, max_size=40) | st.just(b'{"a": [1, 2.5, null]}')
requests = st.builds(
    Recorded,
    method=st.sampled_from(["POST", "PUT"]),
    path=st.sampled_from(["/v1/a", "/v1/b?x=1"]),
    headers=st.sampled_from([(), (("x-user-id", "u1"),)]),
    body=bodies,
)


def test_a_file_of_requests(tmp_path: Path) -> None:
    file = tmp_path / "requests"
    file.write_text('{"path": "/a"}\n\n{"method": "post", "path": "/b", "body": {"x": 1}}\n')
    first, second = read_requests(file)
    assert first.written("h:1") == b"GET /a HTTP/1.1\r\nhost: h:1\r\nx-turnout-shadow: 1\r\n\r\n"
    head, _, body = second.written("h:1").partition(b"\r\n\r\n")
    assert body == b'{"x":1}'
    assert head.split(b"\r\n")[0] == b"POST /b HTTP/1.1"
    assert {b"content-type: application/json", b"content-length: 7"} <= set(head.split(b"\r\n"))


def test_headers_of_another_connection_are_left_out() -> None:
    sent = Recorded("GET", "/", (("Host", "old"), ("Connection", "close"), ("Accept", "*/*"))).written("new")
    assert sent == b"GET / HTTP/1.1\r\nhost: new\r\nAccept: */*\r\nx-turnout-shadow: 1\r\n\r\n"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "truncated"),
        ('{"method": "GET"}', "path"),
        ('{"path": "a"}', "is no method and path"),
        ('{"path": "/a b"}', "is no method and path"),
        ('{"path": "/", "verb": "GET"}', "verb"),
        ('{"path": "/", "headers": {"a": "b\\r\\nc: d"}}', "characters that no head of a request has"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, problem: str) -> None:
    file = tmp_path / "requests"
    file.write_text('{"path": "/a"}\n' + line + "\n")
    with pytest.raises(ConfigurationError, match=problem) as caught:
        read_requests(file)
    assert str(caught.value).startswith(f"{file}:2: ")


def test_no_file_or_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read_requests(tmp_path / "none")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigurationError, match="has no request"):
        read_requests(tmp_path / "empty")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(requests, min_size=1, max_size=5))
def test_what_is_written_is_read_again(tmp_path: Path, several: list[Recorded]) -> None:
    file = tmp_path / "requests"
    write_requests(file, tuple(several))
    again = read_requests(file)
    assert [(each.method, each.path, each.body) for each in again] == [
        (each.method, each.path, each.body) for each in several
    ]
    write_requests(file, again)
    assert read_requests(file) == again
