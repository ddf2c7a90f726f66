"""What does the router itself answer, when no backend does?"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from router.data.wire import status_line


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of the router's own: the status, a stable reason, and a sentence for the reader."""

    status: int
    reason: str
    detail: str
    retry_after: int | None = None


def render(
    refusal: Refusal, request_id: bytes, extra: bytes, *, close: bool, head_only: bool = False
) -> bytes:
    """The whole answer as bytes: ``application/problem+json`` (RFC 9457) and ``x-turnout-error``.

    ``extra`` is header lines to add, each with its line end.
    """
    body = msgspec.json.encode(
        {
            "type": f"urn:turnout:error:{refusal.reason}",
            "title": refusal.reason.replace("-", " "),
            "status": refusal.status,
            "detail": refusal.detail,
        }
    )
    lines = [
        status_line(refusal.status),
        b"content-type: application/problem+json\r\ncontent-length: %d\r\n" % len(body),
        b"x-turnout-error: %b\r\n" % refusal.reason.encode(),
    ]
    if request_id:
        lines.append(b"x-request-id: %b\r\n" % request_id)
    if refusal.retry_after is not None:
        lines.append(b"retry-after: %d\r\n" % refusal.retry_after)
    lines += (extra, b"connection: close\r\n\r\n" if close else b"\r\n")
    if not head_only:
        lines.append(body)
    return b"".join(lines)
