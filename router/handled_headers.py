"""Which request headers does the router read, drop or write itself, so that nothing else may rest on them?"""

from __future__ import annotations

from typing import Final

HANDLED: Final = frozenset(
    {
        *("connection", "content-length", "cookie", "expect", "host", "keep-alive", "proxy-authenticate"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id"),
    }
)
OWN_PREFIX: Final = "x-turnout-"
CONDITIONS_READ: Final = frozenset(("cookie", "host"))
"""Of those, the ones that a condition may read all the same."""


def names_no_unit(header: str) -> bool:
    """Whether this header cannot say which unit sent a request."""
    name = header.lower()
    return name in HANDLED or name.startswith(OWN_PREFIX)


def unreadable(header: str) -> bool:
    """Whether no condition can read this header, in lower case."""
    return (header in HANDLED and header not in CONDITIONS_READ) or header.startswith(OWN_PREFIX)
