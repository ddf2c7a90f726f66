"""What do a pool and a backend's connection ask of whatever they carry?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from router.data.answers import Refusal
    from router.data.heads import KnownHead
    from router.data.pool import Address
    from router.data.upstream import BackendConnection


class Turning(Protocol):
    """Something that counts how often everything written was sent."""

    turn: int


class Asker(Protocol):
    """Who wants the answer, and is told when the backend does not keep up."""

    @property
    def plane(self) -> Turning: ...

    def write(self, data: bytes) -> None: ...

    def hold_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Carried(Protocol):
    """One request on its way to a backend: a client's, or a copy of one."""

    @property
    def client(self) -> Asker: ...

    @property
    def chunk_answer(self) -> bool: ...

    @property
    def tunnel(self) -> bool: ...

    @property
    def sent_all(self) -> bool: ...

    @property
    def takes_whole(self) -> bool: ...

    @property
    def upgrade(self) -> bytes | None: ...

    arrived: float
    deadline: float
    head_only: bool
    out: list[bytes]
    answering: bool
    over: bool

    def send(self, connection: BackendConnection) -> None: ...

    def refuse(self, refusal: Refusal) -> None: ...

    def unreachable(self, address: Address, refusal: Refusal) -> None: ...

    def broken(self, address: Address, refusal: Refusal, *, sent: bool, begun: bool) -> None: ...

    def interim(self, status: int, head: list[bytes]) -> None: ...

    def switch(self, head: list[bytes], protocol: bytes) -> None: ...

    def answer_whole(self, known: KnownHead, body: bytes) -> None: ...

    def answer_head(
        self, status: int, head: list[bytes], length: bytes | None, *, has_body: bool
    ) -> None: ...

    def flush_answer(self) -> None: ...

    def answer_end(self) -> None: ...
