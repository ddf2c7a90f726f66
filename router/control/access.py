"""Who calls the control port, and may they?

With tokens, a caller is whoever shows a valid one. Without any, only callers on this machine are answered,
and they may do everything; a name that a browser was given for this machine is refused, because a web page
could have chosen it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from redis.asyncio import Redis
from starlette.requests import Request

from router.control.exposure import is_loopback
from router.control.token_file import load_tokens
from router.errors import StoreUnavailable, TurnoutError
from router.store import states
from router.store.tokens import ROLES, Role, TokenRecord, list_tokens, owner_of

LOCAL = "(local)"
UNKNOWN = "(unknown)"


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller by name, with the role that it has and the address that it comes from."""

    name: str
    role: Role
    peer: str


class Unauthorized(TurnoutError):
    """No token, or none that is valid."""

    status = 401


class Forbidden(TurnoutError):
    """A caller that may not do this."""

    status = 403


class Gate:
    """Tells callers apart by the tokens in Redis, or by those on disk where Redis has lost its own."""

    def __init__(self, redis: Redis, data_dir: Path) -> None:
        self._redis = redis
        self._data_dir = data_dir

    async def identify(self, request: Request) -> Caller:
        """The caller; `Unauthorized` or `Forbidden` for a stranger. `StoreUnavailable` is not caught."""
        records = await self._tokens()
        shown = request.headers.get("authorization")
        peer = peer_of(request)
        if shown is not None:
            scheme, _, token = shown.partition(" ")
            owner = owner_of(token.strip(), records) if scheme.lower() == "bearer" else None
            if owner is None:
                raise Unauthorized(
                    "the token is not valid, or was revoked; allowed: Authorization: Bearer TOKEN"
                )
            return Caller(owner.name, owner.role, peer)
        if records:
            raise Unauthorized("a token is needed; allowed: Authorization: Bearer TOKEN")
        _only_local(request, peer)
        return Caller(LOCAL, "admin", peer)

    async def admit(self, request: Request) -> None:
        """`Forbidden` for a caller from elsewhere while there is no token; also when Redis is away."""
        try:
            records = await self._tokens()
        except StoreUnavailable:
            records = load_tokens(self._data_dir)
        if not records:
            _only_local(request, peer_of(request))

    async def _tokens(self) -> list[TokenRecord]:
        records = await list_tokens(self._redis)
        if not records and not await states.version(self._redis):
            return load_tokens(self._data_dir)
        return records


def require(caller: Caller, role: Role) -> None:
    """`Forbidden` for a caller whose role is below the one that is needed."""
    if ROLES.index(caller.role) < ROLES.index(role):
        raise Forbidden(
            f"{caller.name} has the role {caller.role}; allowed: {role}{' or admin' * (role == 'operator')}"
        )


def peer_of(request: Request) -> str:
    """The address that the caller comes from."""
    return request.client.host if request.client else ""


def _only_local(request: Request, peer: str) -> None:
    if not is_loopback(peer):
        raise Forbidden("there is no API token yet, so only callers on this machine are answered")
    try:
        name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        name = ""
    if not is_loopback(name):
        raise Forbidden(
            f"there is no API token yet, and {name!r} is no name of this machine alone; allowed: 127.0.0.1"
        )
