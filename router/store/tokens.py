"""Who may use the control port: which bearer tokens are there, and whose is the one that was shown?

A token is ``turnout_NAME_SECRET``, where the secret is 32 random bytes in hexadecimal. Only the secret's
SHA-256 is kept: it has nothing to guess, so that no slow hash is needed.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from re import fullmatch
from secrets import token_hex
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from router.errors import TurnoutError
from router.problems import InvalidConfiguration, Problem, unknown
from router.store import keys
from router.store.client import seam

Role = Literal["viewer", "operator", "admin"]
ROLES: Final[tuple[Role, ...]] = ("viewer", "operator", "admin")

TOKEN_NAME: Final = "[A-Za-z0-9_.-]{1,64}"

_PREFIX = "turnout_"


class TokenConflict(TurnoutError):
    """A token that cannot be made as things are."""

    status = 409


class TokenRecord(Struct, frozen=True, kw_only=True):
    """What is kept of a token; ``created`` is unix seconds, ``digest`` hexadecimal."""

    name: str
    role: Role
    digest: str
    created: float
    created_by: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(TokenRecord).decode


async def create_token(redis: Redis, name: str, role: str, *, created: float, created_by: str) -> str:
    """Make a token and return it: it cannot be read again. The first one must be an admin's.

    `InvalidConfiguration` for a name or role that cannot be; `TokenConflict` for a name that is taken.
    """
    problems = []
    if not fullmatch(TOKEN_NAME, name):
        problems.append(Problem(("name",), name, "is no usable name", "1 to 64 of A-Za-z0-9_.-"))
    kind = next((each for each in ROLES if each == role), None)
    if kind is None:
        problems.append(unknown(("role",), role, "role", ROLES))
    if problems or kind is None:
        raise InvalidConfiguration(problems)
    if kind != "admin" and not await has_tokens(redis):
        raise TokenConflict(f"the first token has the role {role!r}; allowed: admin, who makes the others")

    secret = token_hex(32)
    digest = sha256(secret.encode()).hexdigest()
    record = TokenRecord(name=name, role=kind, digest=digest, created=created, created_by=created_by)
    with seam():
        new: Any = await redis.hsetnx(keys.TOKENS, name, _encode(record))
    if not new:
        raise TokenConflict(f"there is a token {name!r} already; allowed: another name, or revoke that one")
    return f"{_PREFIX}{name}_{secret}"


async def list_tokens(redis: Redis) -> list[TokenRecord]:
    """All tokens, by name."""
    with seam():
        documents: Any = await redis.hvals(keys.TOKENS)
    return sorted((_decode(document) for document in documents), key=lambda record: record.name)


async def revoke_token(redis: Redis, name: str) -> bool:
    """Forget a token: from now on it opens nothing. False where there is none of this name."""
    with seam():
        removed: Any = await redis.hdel(keys.TOKENS, name)
    return bool(removed)


async def has_tokens(redis: Redis) -> bool:
    """Whether there is any token."""
    with seam():
        count: Any = await redis.hlen(keys.TOKENS)
    return bool(count)


async def restore_tokens(redis: Redis, records: list[TokenRecord]) -> None:
    """Put records back that were kept elsewhere; those that are there stay as they are."""
    with seam():
        for record in records:
            await redis.hsetnx(keys.TOKENS, record.name, _encode(record))


def owner_of(token: str, records: list[TokenRecord]) -> TokenRecord | None:
    """The record whose token this is, if it is one; the secret is compared in constant time."""
    name, _, secret = token.removeprefix(_PREFIX).rpartition("_")
    digest = sha256(secret.encode(errors="surrogateescape")).hexdigest()
    for record in records:
        if record.name == name and compare_digest(record.digest, digest):
            return record
    return None
