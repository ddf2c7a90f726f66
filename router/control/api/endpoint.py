"""What is an endpoint: one method of one path, with everything that serving and describing it takes?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from router.control.access import Caller
from router.control.changes import Author, Editor, change
from router.state import State
from router.store.tokens import Role


@dataclass(frozen=True, slots=True)
class Desk:
    """What the endpoints work with; ``clock`` gives unix seconds."""

    redis: Redis
    data_dir: Path
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was found in order: its caller, and what it gives.

    ``query`` and ``body`` are of the endpoint's own types; ``data`` is the body as plain data.
    """

    desk: Desk
    caller: Caller
    author: Author
    path: Mapping[str, str]
    query: Any
    body: Any
    data: Any
    if_match: str | None

    async def change(self, editor: Editor) -> State:
        """The state after an edit by this caller."""
        return await change(self.desk.redis, editor, self.author, self.desk.clock)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answers; without a value nothing."""

    value: Any = None
    status: int = 200
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """``role`` is the least that may call it, None for everybody.

    ``answers`` has the type for each status when all is well, None for no content. ``checked`` says that the
    body is checked as ``body`` before the handler sees it, not by the handler together with the rest of the
    configuration. ``guarded`` means If-Match; ``refusals`` are statuses that no other field implies.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Callable[[Call], Awaitable[Answer]]
    answers: Mapping[int, Any]
    role: Role | None = "viewer"
    query: type | None = None
    body: Any = None
    checked: bool = True
    guarded: bool = False
    tagged: bool = False
    refusals: tuple[int, ...] = ()
