"""Which requests does a load test send, if they are to be those of live traffic?

For a while this process is a shadow: it listens, lets the router send it copies of a route's requests, and
takes itself out of the configuration again. The router sends copies as it does to every shadow: never in the
way of a client, and by itself only of routes whose requests may be repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any, Final

import httptools

from router.cli.client import Client
from router.cli.loadtest.requests import Recorded
from router.cli.refusals import LostRace
from router.errors import TurnoutError

_LARGEST_BODY: Final = 1024 * 1024
_ANSWER: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
_POLL: Final = 0.2
_MOST_RACES: Final = 10


class Listener(asyncio.Protocol):
    """Takes down whatever request comes, and answers that there is nothing to say."""

    def __init__(self, taken: list[Recorded]) -> None:
        self._taken = taken
        self._parser = httptools.HttpRequestParser(self)
        self._path, self._body = b"", b""
        self._headers: list[tuple[str, str]] = []
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.abort()

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        if len(self._body) <= _LARGEST_BODY:
            self._body += body

    def on_message_complete(self) -> None:
        if len(self._body) <= _LARGEST_BODY:
            method = self._parser.get_method().decode()
            path = self._path.decode("latin-1")
            self._taken.append(Recorded(method, path, tuple(self._headers), self._body))
        self._path, self._body, self._headers = b"", b"", []
        self._transport.write(_ANSWER)


async def capture(
    client: Client, route: str, count: int, seconds: float, host: str, progress: Callable[[int], None]
) -> tuple[Recorded, ...]:
    """So many requests of a route as come within some seconds.

    ``host`` is this machine's address, as the router's workers reach it. `TurnoutError` where none comes, or
    where the route may not be copied.
    """
    taken: list[Recorded] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Listener(taken), host, 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with _copying(client, route, f"http://{host}:{port}"):
            deadline = loop.time() + seconds
            while len(taken) < count and loop.time() < deadline:
                progress(len(taken))
                await asyncio.sleep(_POLL)
    finally:
        server.close()
    if not taken:
        raise TurnoutError(
            f"no request of {route} came within {seconds:g} s; allowed: a route with traffic, whose workers "
            f"reach {host} (--listen)"
        )
    return tuple(taken[:count])


@asynccontextmanager
async def _copying(client: Client, route: str, url: str) -> AsyncIterator[None]:
    """The router sends copies of a route's requests there, until it is told not to."""
    name = f"loadtest-{token_hex(4)}"
    await asyncio.to_thread(change, client, lambda whole: _with_shadow(whole, route, name, url))
    try:
        yield
    finally:
        # Also when it is interrupted: what is left behind would be copied to for ever.
        await asyncio.shield(asyncio.to_thread(change, client, lambda whole: _without_shadow(whole, name)))


def change(client: Client, edit: Callable[[dict[str, Any]], None]) -> None:
    """Edit the configuration; again where somebody else was faster, as this concerns nobody else."""
    for race in range(_MOST_RACES):
        answer = client.get("configuration")
        whole = answer.read(dict[str, Any])
        edit(whole)
        query = {"prune": "true", "why": "requests for a load test"}
        try:
            client.send("PUT", "configuration", body=whole, if_match=answer.etag, **query)
        except LostRace:
            if race == _MOST_RACES - 1:
                raise
        else:
            return


def _with_shadow(whole: dict[str, Any], route: str, name: str, url: str) -> None:
    for each in whole["routes"]:
        if each["path"] == route:
            each["shadows"] = [*each.get("shadows", ()), name]
            break
    else:
        known = ", ".join(each["path"] for each in whole["routes"])
        raise TurnoutError(f"there is no route {route}; there are: {known}")
    whole["backends"][name] = {"url": url}
    whole.setdefault("shadows", {})[name] = {"backend": name, "max_body": _LARGEST_BODY}


def _without_shadow(whole: dict[str, Any], name: str) -> None:
    for each in whole["routes"]:
        each["shadows"] = [shadow for shadow in each.get("shadows", ()) if shadow != name]
    whole["backends"].pop(name, None)
    whole.get("shadows", {}).pop(name, None)
