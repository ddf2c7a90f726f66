"""Which requests does a load test send?

One for each line of a file: an object with ``path`` and, if it is not GET without a body, ``method``,
``headers`` and ``body``, which is text or any JSON value; or ``body_base64`` for bytes that are neither.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from router.errors import ConfigurationError

# Written for each message anew, or about a connection that is another one here.
_LEFT_OUT = frozenset(
    {
        *("connection", "content-length", "expect", "host", "keep-alive", "te", "transfer-encoding"),
        *("upgrade", "x-turnout-shadow", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"),
    }
)
_FORM = '{"method": "POST", "path": "/v1/models/m:predict", "headers": {...}, "body": {...}}'


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request, to be sent to whichever host."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def written(self, host: str) -> bytes:
        """The whole message for a host, marked as a copy, so that a backend can spare side effects."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers if name.lower() not in _LEFT_OUT]
        lines.append("x-turnout-shadow: 1")
        if self.body or self.method not in ("GET", "HEAD", "DELETE", "OPTIONS"):
            lines.append(f"content-length: {len(self.body)}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    method: str = "GET"
    headers: dict[str, str] = {}
    body: Any = None
    body_base64: str | None = None


def read_requests(file: Path) -> tuple[Recorded, ...]:
    """The requests of a file; `ConfigurationError` names the line that is none."""
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}; allowed: a file of requests") from None
    requests = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                requests.append(_recorded(msgspec.json.decode(line, type=_Line)))
            except (msgspec.MsgspecError, ValueError) as error:
                raise ConfigurationError(f"{file}:{number}: {error}; allowed: {_FORM}") from None
    if not requests:
        raise ConfigurationError(f"{file} has no request; allowed: one a line, {_FORM}")
    return tuple(requests)


def write_requests(file: Path, requests: tuple[Recorded, ...]) -> None:
    """A file that `read_requests` reads."""
    file.write_bytes(b"".join(msgspec.json.encode(_line(each)) + b"\n" for each in requests))


def _line(request: Recorded) -> dict[str, Any]:
    line: dict[str, Any] = {"method": request.method, "path": request.path}
    if request.headers:
        line["headers"] = dict(request.headers)
    if request.body:
        line["body_base64"] = b64encode(request.body).decode()
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            body = msgspec.json.decode(request.body)
            # As it is read again: what an encoder would write in another way stays as it came.
            if not isinstance(body, str) and msgspec.json.encode(body) == request.body:
                del line["body_base64"]
                line["body"] = body
    return line


def _recorded(line: _Line) -> Recorded:
    body = line.body
    if line.body_base64 is not None:
        return _checked(line, b64decode(line.body_base64, validate=True), dict(line.headers))
    content = body.encode() if isinstance(body, str) else b"" if body is None else msgspec.json.encode(body)
    headers = dict(line.headers)
    if content and not isinstance(body, str) and "content-type" not in {name.lower() for name in headers}:
        headers["content-type"] = "application/json"
    return _checked(line, content, headers)


def _checked(line: _Line, content: bytes, headers: dict[str, str]) -> Recorded:
    for text in (line.method, line.path, *headers, *headers.values()):
        if any(ord(sign) < 32 or ord(sign) > 255 for sign in text):
            raise ValueError(f"{text!r} has characters that no head of a request has")
    if not line.path.startswith("/") or " " in line.path or not line.method.isalpha():
        raise ValueError(f"{line.method} {line.path!r} is no method and path")
    return Recorded(line.method.upper(), line.path, tuple(headers.items()), content)
