"""What may administrators do: tokens; and what helps when Redis came back empty or older?"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from router.control.api.endpoint import Answer, Call, Endpoint
from router.control.api.queries import Why
from router.control.changes import entry_of
from router.control.edits import Conflict, NotFound
from router.control.restoring import log, restore
from router.control.token_file import save_tokens
from router.events import event
from router.last_state import load
from router.store import states
from router.store.audit import log_entry
from router.store.tokens import TOKEN_NAME, Role, create_token, list_tokens, revoke_token


class TokenView(Struct, frozen=True, kw_only=True):
    """A token, without what opens anything."""

    name: str
    role: Role
    created: float
    created_by: str


class TokenList(Struct, frozen=True, kw_only=True):
    """Tokens by name."""

    tokens: tuple[TokenView, ...]


class NewToken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to be made."""

    name: Annotated[str, Meta(pattern=f"^{TOKEN_NAME}$")]
    role: Role


class MadeToken(Struct, frozen=True, kw_only=True):
    """A token that was made; it is shown this once."""

    name: str
    role: Role
    token: str


class SnapshotView(Struct, frozen=True, kw_only=True):
    """The last snapshot on disk, and whether Redis has lost the state: then it can be restored."""

    lost: bool
    version: int | None
    experiments: tuple[str, ...]


class Restored(Struct, frozen=True, kw_only=True):
    """The version that was made of the snapshot."""

    version: int


async def list_all(call: Call) -> Answer:
    """The tokens."""
    records = await list_tokens(call.desk.redis)
    views = [
        TokenView(name=each.name, role=each.role, created=each.created, created_by=each.created_by)
        for each in records
    ]
    return Answer(TokenList(tokens=tuple(views)))


async def create(call: Call) -> Answer:
    """A new token."""
    wanted, redis, now = call.body, call.desk.redis, call.desk.clock()
    token = await create_token(redis, wanted.name, wanted.role, created=now, created_by=call.caller.name)
    await _record(call, now, f"token {wanted.name} with the role {wanted.role}", 201)
    return Answer(MadeToken(name=wanted.name, role=wanted.role, token=token), 201)


async def revoke(call: Call) -> Answer:
    """A token that opens nothing any more."""
    name = call.path["name"]
    admins = [each.name for each in await list_tokens(call.desk.redis) if each.role == "admin"]
    if admins == [name]:
        raise Conflict(
            f"{name!r} is the last admin's token: without it nobody could make another one here, and without "
            "any the port would be open to every caller on this machine; allowed: the command line"
        )
    if not await revoke_token(call.desk.redis, name):
        raise NotFound(f"there is no token {name!r}")
    await _record(call, call.desk.clock(), f"token {name}", 204)
    return Answer(status=204)


async def _record(call: Call, now: float, detail: str, status: int) -> None:
    entry = entry_of(call.author, now, status=status, detail=detail)
    event(log, call.author.action, who=call.caller.name, detail=detail)
    await log_entry(call.desk.redis, entry)
    save_tokens(call.desk.data_dir, await list_tokens(call.desk.redis))


async def read_snapshot(call: Call) -> Answer:
    """What could be restored."""
    last = load(call.desk.data_dir)
    version, newest = await states.version(call.desk.redis), await states.newest(call.desk.redis)
    view = SnapshotView(
        lost=not version or version < newest,
        version=None if last is None else last.version,
        experiments=() if last is None else tuple(last.settings.experiments),
    )
    return Answer(view)


async def restore_snapshot(call: Call) -> Answer:
    """Make the last snapshot the state."""
    state = await restore(call.desk.redis, call.desk.data_dir, call.author, call.desk.clock())
    return Answer(Restored(version=state.version))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/tokens",
        name="list_tokens",
        summary="All tokens, without their secrets",
        handler=list_all,
        answers={200: TokenList},
        role="admin",
    ),
    Endpoint(
        method="POST",
        path="/api/v1/tokens",
        name="create_token",
        summary="Make a token; it is shown this once",
        handler=create,
        answers={201: MadeToken},
        role="admin",
        body=NewToken,
        refusals=(409,),
    ),
    Endpoint(
        method="DELETE",
        path="/api/v1/tokens/{name}",
        name="revoke_token",
        summary="Make a token open nothing any more",
        handler=revoke,
        answers={204: None},
        role="admin",
        refusals=(409,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/snapshot",
        name="read_snapshot",
        summary="The last snapshot on disk, and whether Redis has lost the state",
        handler=read_snapshot,
        answers={200: SnapshotView},
    ),
    Endpoint(
        method="POST",
        path="/api/v1/restore",
        name="restore_snapshot",
        summary="Make the last snapshot the state again, after Redis came back empty or older",
        handler=restore_snapshot,
        answers={200: Restored},
        role="operator",
        query=Why,
        refusals=(409,),
    ),
)
