"""``turnout token``: how are API tokens made and revoked, also before there is any?

Through the admin API, by an admin; or straight through Redis by whoever may open it, which is how the first
token is made on the router's own machine, and the way back in when all are lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path
from time import time
from typing import Any, TypeVar

import msgspec
from redis.asyncio import Redis
from rich.console import Console
from rich.markup import escape

from router.cli.answers import MadeToken, Token, Tokens
from router.cli.change_lines import when
from router.cli.client import Client
from router.cli.contexts import Target
from router.cli.options import Output
from router.cli.showing import rows, show
from router.errors import ConfigurationError, StoreUnavailable
from router.store import tokens
from router.store.audit import Entry, log_entry
from router.store.client import connect, seam
from router.store.embedded import EmbeddedRedis

T = TypeVar("T")

_TARGET = "turnout token"  # in the audit log, where an API call has its method and path


def create(
    target: Target | None, redis: str | None, data_dir: Path | None, name: str, role: str
) -> MadeToken:
    """A new token: through the API where there is a target, else straight through Redis."""
    if target is not None:
        with Client(target) as client:
            return client.send("POST", "tokens", body={"name": name, "role": role}).read(MadeToken)

    async def make(store: Redis) -> str:
        token = await tokens.create_token(store, name, role, created=time(), created_by=_who())
        await log_entry(store, _entry("create_token", f"token {name} with the role {role}", 201))
        return token

    return MadeToken(name=name, role=role, token=_straight(redis, data_dir, make))


def list_all(target: Target | None, redis: str | None, data_dir: Path | None) -> Tokens:
    """All tokens, without their secrets."""
    if target is not None:
        with Client(target) as client:
            return client.get("tokens").read(Tokens)
    records = _straight(redis, data_dir, tokens.list_tokens)
    found = [Token(each.name, each.role, each.created, each.created_by) for each in records]
    return Tokens(tuple(found))


def revoke(target: Target | None, redis: str | None, data_dir: Path | None, name: str) -> None:
    """A token that opens nothing any more; `ConfigurationError` where there is none of this name."""
    if target is not None:
        with Client(target) as client:
            client.send("DELETE", "tokens", name)
        return

    async def forget(store: Redis) -> bool:
        found = await tokens.revoke_token(store, name)
        if found:
            await log_entry(store, _entry("revoke_token", f"token {name}", 204))
        return found

    if not _straight(redis, data_dir, forget):
        raise ConfigurationError(f"there is no token {name!r}; turnout token list shows those that there are")


def print_made(made: MadeToken, output: Output) -> None:
    """Show a token, this once; a table's words go around it, JSON and YAML hold it."""

    def table(to: Console) -> None:
        to.print(escape(made.token), soft_wrap=True)
        Console(stderr=True, highlight=False, emoji=False).print(
            escape(f"the token of {made.name}, {made.role}: keep it, it is not shown again (TURNOUT_TOKEN)"),
            soft_wrap=True,
        )

    show(output, msgspec.to_builtins(made), table)


def print_revoked(name: str, output: Output) -> None:
    """Say that it is done."""
    show(output, {"revoked": name}, lambda to: to.print(escape(f"the token {name} opens nothing any more")))


def print_all(listed: Tokens, output: Output) -> None:
    """Show who has a token."""
    cells = [(each.name, each.role, when(each.created), each.created_by) for each in listed.tokens]
    columns = ("name", "role", "created", "by")
    show(output, msgspec.to_builtins(listed), lambda to: to.print(rows("", columns, cells)))


def _straight(redis: str | None, data_dir: Path | None, work: Callable[[Redis], Awaitable[T]]) -> T:
    with _server(redis, data_dir) as url:
        return asyncio.run(_with(url, work))


@contextmanager
def _server(redis: str | None, data_dir: Path | None) -> Iterator[str]:
    """The URL of a Redis: the one given, or a data directory's own, started for now if it does not run."""
    if redis is not None and data_dir is not None:
        raise ConfigurationError("--redis and --data-dir are both given; allowed: one of them")
    if redis is not None:
        yield redis
        return
    assert data_dir is not None
    embedded = EmbeddedRedis(data_dir / "redis")
    if embedded.socket.exists() and asyncio.run(_answers(embedded.url)):
        yield embedded.url
        return
    if not data_dir.is_dir():
        raise ConfigurationError(f"{data_dir} is no directory; allowed: the --data-dir of 'turnout serve'")
    embedded.start()
    try:
        yield embedded.url
    finally:
        embedded.stop()


async def _answers(url: str) -> bool:
    async def ping(store: Redis) -> bool:
        with seam():
            answer: Any = store.ping()
            return bool(await answer)

    try:
        return await _with(url, ping)
    except StoreUnavailable:
        return False


async def _with(url: str, work: Callable[[Redis], Awaitable[T]]) -> T:
    store = connect(url)
    try:
        return await work(store)
    finally:
        await store.aclose()


def _who() -> str:
    try:
        return f"({getuser()} on this machine)"
    except (OSError, KeyError):
        return "(somebody on this machine)"


def _entry(action: str, detail: str, status: int) -> Entry:
    return Entry(
        at=time(),
        who=_who(),
        role="",
        peer="",
        action=action,
        target=_TARGET,
        status=status,
        detail=detail,
    )
