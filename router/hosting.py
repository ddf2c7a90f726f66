"""How does a process of the service host an application on sockets, and end without losing a request?"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from router.events import say

DRAIN_SECONDS = 30

_SO_ATTACH_FILTER = 26
_BPF_RETURN_CONSTANT = 0x06

log = logging.getLogger("turnout")


def refuse_new_connections(listener: socket.socket) -> None:
    """On Linux: let a listening socket ignore whoever asks for a connection from now on.

    The filter (classic BPF, one instruction: drop) does not touch what was accepted before it. A client that
    is ignored asks again a little later, and by then finds another listener, or is refused. Where the system
    lets this process set no filter, as some sandboxes do, the few that come just then are reset.
    """
    if sys.platform != "linux":
        return
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", _BPF_RETURN_CONSTANT, 0, 0, 0))
    program = struct.pack("HL", 1, ctypes.addressof(instruction))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except OSError as error:
        text = f"no filter for new connections while this process ends: {error}"
        say(log, "no_filter", text, logging.WARNING, detail=error)


class Host(uvicorn.Server):
    """uvicorn's server with the service's own signals: the first one drains, and none is raised again."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        ready: Callable[[], None],
        draining: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._draining = draining

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._draining()
        # Connections that the kernel has accepted and the loop has not yet: they are requests, too. None may
        # join them while they are taken up, because closing the socket resets whoever still waits there.
        for listener in sockets or ():
            refuse_new_connections(listener)
        for _ in range(3):
            await asyncio.sleep(0)
        await super().shutdown(sockets=sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._handle, number)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)

    def _handle(self, number: int) -> None:
        self.handle_exit(number, None)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A second signal changes nothing: what is under way has its time, and the parent the last word."""
        self.should_exit = True
