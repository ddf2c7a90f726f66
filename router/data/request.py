"""What is known of one request, and of its answer so far?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from router.data.answers import Refusal
from router.data.pool import Pool
from router.data.wire import NO_TOKENS

if TYPE_CHECKING:
    from router.data.context import Choice
    from router.data.copied import Copied
    from router.data.downstream import ClientConnection
    from router.data.snapshot import Entry, Snapshot
    from router.data.trial import Slot
    from router.data.upstream import BackendConnection

FOREVER = float("inf")


class Request:
    """The state of one request: filled in by the client's side, carried on by the exchange that it is."""

    __slots__ = (
        "_attempts",
        "_choice",
        "_close_after",
        "_cookie",
        "_entry",
        "_first_byte",
        "_flags",
        "_held",
        "_place",
        "_pool",
        "_sent",
        "_slot",
        "_started",
        "_status",
        "answering",
        "arrived",
        "body",
        "captured",
        "chunk_answer",
        "chunked",
        "client",
        "complete",
        "connection",
        "connection_tokens",
        "copied",
        "deadline",
        "expects",
        "expires",
        "force",
        "forwarded_for",
        "fresh",
        "head",
        "head_only",
        "host",
        "keep_alive",
        "length",
        "local",
        "method",
        "modern",
        "odd",
        "out",
        "over",
        "received",
        "refusal",
        "request_id",
        "sent_all",
        "snapshot",
        "started",
        "target",
        "tunnel",
        "upgrade",
    )

    # Only of a request that is copied.
    copied: Copied

    def __init__(self, client: ClientConnection, snapshot: Snapshot) -> None:
        self.client = client
        self.snapshot = snapshot
        # What the client's side fills in.
        self.method = b""
        self.target = b""
        self.head: list[bytes] = []
        self.captured: dict[int, bytes] = {}
        self.host: bytes | None = None
        self.forwarded_for: bytes | None = None
        self.request_id = b""
        self.force: bytes | None = None
        self.upgrade: bytes | None = None
        self.connection_tokens = NO_TOKENS
        self.refusal: Refusal | None = None
        self.length: bytes | None = None
        self.chunked = False
        self.expects = False
        self.keep_alive = True
        self.modern = True
        self.odd = False
        self.head_only = False
        self.fresh: list[bytes] = []
        self.received = 0
        self.complete = False
        # What it has come to.
        self.started = False
        self.local = False
        self.connection: BackendConnection | None = None
        self.deadline: float = FOREVER
        self.expires: float = FOREVER
        self.body: list[bytes] = []
        self.sent_all = False
        self.answering = False
        self.tunnel = False
        self.over = False
        self.out: list[bytes] = []
        self.chunk_answer = False
        self._entry: Entry = cast(Any, None)
        self._pool: Pool = cast(Any, None)
        self._slot: Slot | None = None
        self._place = 0
        # Of a request that its own features decided, if it is to be logged.
        self._choice: Choice | None = None
        self._flags = 0
        self._cookie = b""
        self._attempts = 0
        self._held = True
        self._close_after = False
        self._status = 0
        # By perf_counter: when it was begun, when it was sent for the last time, when something last came of
        # that (data, or its failure), and when the answer began.
        self._started = 0.0
        self._sent = 0.0
        self.arrived = 0.0
        self._first_byte = 0.0
